# Wrong: multiplies the tunnels at the two ends of each tunnel instead of the chambers on its two sides.
n = int(input())
tunnels = [tuple(map(int, input().split())) for _ in range(n - 1)]
count = {}
for a, b, _ in tunnels:
    count[a] = count.get(a, 0) + 1
    count[b] = count.get(b, 0) + 1
print(sum(count[a] * count[b] * d for a, b, d in tunnels))
