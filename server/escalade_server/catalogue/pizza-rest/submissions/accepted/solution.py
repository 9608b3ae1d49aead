# Brings all boxes to one common denominator, then divides by 2, 3, 4, ... as long as that goes.
from math import lcm

n = int(input())
rest = [tuple(map(int, input().split())) for _ in range(n)]
q = lcm(*(b for _, b in rest))
p = sum(a * (q // b) for a, b in rest)
for divisor in range(2, 41):
    while p % divisor == 0 and q % divisor == 0:
        p, q = p // divisor, q // divisor
print(p, q)
