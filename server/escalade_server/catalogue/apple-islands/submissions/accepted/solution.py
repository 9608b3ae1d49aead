# Walks through one village after the other.
n, m = map(int, input().split())
apples = list(map(int, input().split()))
near = [[] for _ in range(n)]
for _ in range(m):
    a, b = map(int, input().split())
    near[a - 1].append(b - 1)
    near[b - 1].append(a - 1)
barns, seen = [], set()
for first in range(n):
    if first in seen:
        continue
    village, pending = {first}, [first]
    while pending:
        for island in near[pending.pop()]:
            if island not in village:
                village.add(island)
                pending.append(island)
    seen |= village
    barns.append(sum(apples[island] for island in village))
print(*sorted(barns))
