# Sieve: the seconds at which the first lighthouses meet are one progression; step through it for the next one.
from math import lcm

n = int(input())
second, step = 0, 1
together = True
for _ in range(n):
    start, period = map(int, input().split())
    for _ in range(period):
        if second % period == start:
            break
        second += step
    else:
        together = False
        break
    step = lcm(step, period)
print("YES" if together else "NO")
