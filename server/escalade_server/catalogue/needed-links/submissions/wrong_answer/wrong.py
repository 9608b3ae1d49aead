# Wrong: keeps a link only if its second topic lies in the very next layer of the wiki.
n, m = map(int, input().split())
links = [tuple(map(int, input().split())) for _ in range(m)]
layer = dict.fromkeys(range(1, n + 1), 0)
for _ in range(n):
    for a, b in links:
        layer[b] = max(layer[b], layer[a] + 1)
for a, b in links:
    if layer[b] == layer[a] + 1:
        print(a, b)
