# Union-find with two nodes per scout, one for each tent: a quarrel joins a's red with b's blue and the other way round.
n, m = map(int, input().split())
leader = list(range(2 * n + 2))


def find(node):
    while leader[node] != node:
        leader[node] = leader[leader[node]]
        node = leader[node]
    return node


for _ in range(m):
    a, b = map(int, input().split())
    leader[find(2 * a)] = find(2 * b + 1)
    leader[find(2 * a + 1)] = find(2 * b)
print("YES" if all(find(2 * scout) != find(2 * scout + 1) for scout in range(1, n + 1)) else "NO")
