# Wrong: takes off the overlap of every two posters, and so takes it off too often where three lie on each other.
n = int(input())
posters = [tuple(map(int, input().split())) for _ in range(n)]
covered = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in posters)
for i, (x1, y1, x2, y2) in enumerate(posters):
    for u1, v1, u2, v2 in posters[:i]:
        covered -= max(0, min(x2, u2) - max(x1, u1)) * max(0, min(y2, v2) - max(y1, v1))
print(covered)
