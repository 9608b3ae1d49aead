# Wrong: takes the n - 1 cheapest cables, even if they close a ring.
n, m = map(int, input().split())
offers = sorted((tuple(map(int, input().split())) for _ in range(m)), key=lambda offer: offer[2])
for a, b, cost in offers[: n - 1]:
    print(a, b, cost)
