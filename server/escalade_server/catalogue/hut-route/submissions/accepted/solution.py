# Bellman-Ford: relax every trail in both directions until nothing changes.
n, m = map(int, input().split())
trails = [tuple(map(int, input().split())) for _ in range(m)]
trails += [(b, a, t) for a, b, t in trails]
minutes = {1: 0}
before = {}
changed = True
while changed:
    changed = False
    for a, b, t in trails:
        if a in minutes and minutes[a] + t < minutes.get(b, 10**9):
            minutes[b] = minutes[a] + t
            before[b] = a
            changed = True
route = [n]
while route[-1] != 1:
    route.append(before[route[-1]])
print(*reversed(route))
