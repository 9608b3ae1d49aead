# Wrong: cuts the leaf with the largest number each time.
n = int(input())
diary = list(map(int, input().split()))
left = set(range(1, n + 1))
for step, knot in enumerate(diary):
    leaf = max(left.difference(diary[step:]))
    left.remove(leaf)
    print(knot, leaf)
print(*sorted(left))
