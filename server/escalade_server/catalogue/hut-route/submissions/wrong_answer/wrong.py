# Wrong: takes a route with the fewest trails, whatever they cost.
from collections import deque

n, m = map(int, input().split())
near = {hut: [] for hut in range(1, n + 1)}
for _ in range(m):
    a, b, t = map(int, input().split())
    near[a].append(b)
    near[b].append(a)
before, queue = {1: 0}, deque([1])
while queue:
    hut = queue.popleft()
    for other in near[hut]:
        if other not in before:
            before[other] = hut
            queue.append(other)
route = [n]
while route[-1] != 1:
    route.append(before[route[-1]])
print(*reversed(route))
