# Wrong: measures ways with the fewest roads instead of the shortest ways.
n, m = map(int, input().split())
near = {village: [] for village in range(1, n + 1)}
for _ in range(m):
    a, b, d = map(int, input().split())
    near[a].append((b, d))
    near[b].append((a, d))
for start in near:
    far, queue = {start: 0}, [start]
    for village in queue:
        for other, d in near[village]:
            if other not in far:
                far[other] = far[village] + d
                queue.append(other)
    print(*(far[village] for village in near))
