# Splits the path in the middle: either a slab ends there, or one lies across it.
from functools import cache

n, k = map(int, input().split())
slabs = [tuple(map(int, input().split())) for _ in range(k)]


@cache
def ways(feet):
    if feet <= 1:
        return 1 if feet == 0 else sum(colours for length, colours in slabs if length == 1)
    half = feet // 2
    total = ways(half) * ways(feet - half)
    for length, colours in slabs:
        for start in range(max(0, half - length + 1), min(half, feet - length + 1)):
            total += ways(start) * colours * ways(feet - start - length)
    return total


print(ways(n))
