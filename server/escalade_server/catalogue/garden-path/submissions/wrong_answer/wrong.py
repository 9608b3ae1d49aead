# Wrong: counts which slabs are used, but not in which order they lie.
n, k = map(int, input().split())
ways = [1] + [0] * n
for _ in range(k):
    length, colours = map(int, input().split())
    for _ in range(colours):
        for foot in range(length, n + 1):
            ways[foot] += ways[foot - length]
print(ways[n])
