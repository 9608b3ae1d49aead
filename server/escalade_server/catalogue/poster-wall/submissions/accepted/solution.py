# Cuts the wall into upright strips between poster sides and joins the stretches in each strip.
n = int(input())
posters = [tuple(map(int, input().split())) for _ in range(n)]
sides = sorted({x for x1, _, x2, _ in posters for x in (x1, x2)})
covered = 0
for left, right in zip(sides, sides[1:]):
    reach = height = 0
    for y1, y2 in sorted((y1, y2) for x1, y1, x2, y2 in posters if x1 <= left and right <= x2):
        height += max(0, y2 - max(y1, reach))
        reach = max(reach, y2)
    covered += (right - left) * height
print(covered)
