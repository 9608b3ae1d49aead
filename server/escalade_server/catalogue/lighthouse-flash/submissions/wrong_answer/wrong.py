# Wrong: looks only at the common divisor of all the periods.
from functools import reduce
from math import gcd

n = int(input())
lights = [tuple(map(int, input().split())) for _ in range(n)]
divisor = reduce(gcd, (period for _, period in lights)) if n > 2 else 1
print("YES" if all((start - lights[0][0]) % divisor == 0 for start, _ in lights) else "NO")
