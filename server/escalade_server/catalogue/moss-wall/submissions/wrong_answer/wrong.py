# Wrong: changes tile after tile, so that later tiles see neighbours that have changed already.
n, t = map(int, input().split())
wall = [[0] * (n + 2)] + [[0, *map(int, input().split()), 0] for _ in range(n)] + [[0] * (n + 2)]
for _ in range(t):
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            near = wall[i - 1][j] + wall[i + 1][j] + wall[i][j - 1] + wall[i][j + 1]
            wall[i][j] = int(near in (1, 2))
for row in wall[1:-1]:
    print(*row[1:-1])
