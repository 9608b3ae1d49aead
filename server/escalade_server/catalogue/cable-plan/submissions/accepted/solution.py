# Prim's algorithm: grow one net from farm 1, always over the cheapest cable that leads out of it.
import heapq

n, m = map(int, input().split())
near = {farm: [] for farm in range(1, n + 1)}
for _ in range(m):
    a, b, cost = map(int, input().split())
    near[a].append((cost, a, b))
    near[b].append((cost, b, a))
linked, queue = {1}, list(near[1])
heapq.heapify(queue)
while len(linked) < n:
    cost, a, b = heapq.heappop(queue)
    if b not in linked:
        linked.add(b)
        print(a, b, cost)
        for cable in near[b]:
            heapq.heappush(queue, cable)
