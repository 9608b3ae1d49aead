# Keeps only the places of the moss; each mossy tile counts itself in at its neighbours.
from collections import Counter

n, t = map(int, input().split())
moss = {complex(i, j) for i in range(n) for j, digit in enumerate(input().split()) if digit == "1"}
for _ in range(t):
    near = Counter(tile + step for tile in moss for step in (1, -1, 1j, -1j))
    moss = {tile for tile, count in near.items() if count <= 2 and 0 <= tile.real < n and 0 <= tile.imag < n}
for i in range(n):
    print(*(int(complex(i, j) in moss) for j in range(n)))
