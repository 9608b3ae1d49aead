# Dijkstra's algorithm from every village.
import heapq

n, m = map(int, input().split())
near = {village: [] for village in range(1, n + 1)}
for _ in range(m):
    a, b, d = map(int, input().split())
    near[a].append((b, d))
    near[b].append((a, d))
for start in near:
    far, queue = {}, [(0, start)]
    while queue:
        way, village = heapq.heappop(queue)
        if village not in far:
            far[village] = way
            for other, d in near[village]:
                heapq.heappush(queue, (way + d, other))
    print(*(far[village] for village in near))
