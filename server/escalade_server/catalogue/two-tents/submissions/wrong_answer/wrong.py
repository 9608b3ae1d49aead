# Wrong: sends each scout to the red tent if nobody there is an enemy, and never thinks again.
n, m = map(int, input().split())
near = {scout: set() for scout in range(1, n + 1)}
for _ in range(m):
    a, b = map(int, input().split())
    near[a].add(b)
    near[b].add(a)
tents = set(), set()
for scout in near:
    tents[bool(tents[0] & near[scout])].add(scout)
print("NO" if any(tents[1] & near[scout] for scout in tents[1]) else "YES")
