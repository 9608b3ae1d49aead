# Wrong: does not bring the fraction to lowest terms.
from math import lcm

n = int(input())
rest = [tuple(map(int, input().split())) for _ in range(n)]
q = lcm(*(b for _, b in rest))
print(sum(a * (q // b) for a, b in rest), q)
