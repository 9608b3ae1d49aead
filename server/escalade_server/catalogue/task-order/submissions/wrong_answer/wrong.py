# Wrong: sorts the tasks by how many rules they wait for.
n, m = map(int, input().split())
waits = dict.fromkeys(range(1, n + 1), 0)
for _ in range(m):
    a, b = map(int, input().split())
    waits[b] += 1
print(*sorted(waits, key=waits.get))
