# Walks from every chamber to all others and halves the sum of the ways.
n = int(input())
near = {chamber: [] for chamber in range(1, n + 1)}
for _ in range(n - 1):
    a, b, d = map(int, input().split())
    near[a].append((b, d))
    near[b].append((a, d))
ways = 0
for start in near:
    pending = [(start, 0, 0)]
    while pending:
        chamber, before, way = pending.pop()
        ways += way
        pending.extend((other, chamber, way + d) for other, d in near[chamber] if other != before)
print(ways // 2)
