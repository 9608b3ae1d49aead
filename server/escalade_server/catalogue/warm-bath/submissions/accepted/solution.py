# Backwards and exact: how much of jug 1's final water comes from each jug, before each pouring.
from fractions import Fraction

n, q = map(int, input().split())
jugs = [tuple(map(int, input().split())) for _ in range(n)]
pourings = [tuple(map(int, input().split())) for _ in range(q)]
litres = [held for held, _ in jugs]
before = []
for a, b, x in pourings:
    before.append(litres[b - 1])
    litres[a - 1] -= x
    litres[b - 1] += x
share = [Fraction(0)] * n
share[0] = Fraction(1)
for (a, b, x), held in zip(reversed(pourings), reversed(before)):
    poured = share[b - 1] * Fraction(x, held + x)
    share[b - 1] -= poured
    share[a - 1] += poured
print(f"{float(sum(part * degrees for part, (_, degrees) in zip(share, jugs))):.9f}")
