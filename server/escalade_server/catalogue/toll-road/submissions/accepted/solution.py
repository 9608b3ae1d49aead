# Dijkstra's algorithm on the stations.
import heapq

n, k = map(int, input().split())
toll = list(map(int, input().split()))
queue = [(toll[0], 0)]
done = set()
while queue:
    paid, station = heapq.heappop(queue)
    if station == n - 1:
        print(paid)
        break
    if station in done:
        continue
    done.add(station)
    for following in range(station + 1, min(station + k, n - 1) + 1):
        heapq.heappush(queue, (paid + toll[following], following))
