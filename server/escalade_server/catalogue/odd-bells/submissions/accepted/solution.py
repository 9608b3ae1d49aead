# Inclusion and exclusion with powers of -2: an odd number of bells counts once, an even number not at all.
from math import lcm

n, t = map(int, input().split())
every = list(map(int, input().split()))
marks = 0
for chosen in range(1, 1 << n):
    bells = [minutes for i, minutes in enumerate(every) if chosen >> i & 1]
    marks += (-2) ** (len(bells) - 1) * (t // lcm(*bells))
print(marks)
