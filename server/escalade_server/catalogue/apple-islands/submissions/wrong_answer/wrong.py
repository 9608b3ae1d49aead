# Wrong: an island joins the village of its first bridge only; villages are never merged later.
n, m = map(int, input().split())
apples = list(map(int, input().split()))
village = list(range(n))
for _ in range(m):
    a, b = map(int, input().split())
    village[b - 1] = village[a - 1]
barns = {}
for island, grown in enumerate(apples):
    barns[village[island]] = barns.get(village[island], 0) + grown
print(*barns.values())
