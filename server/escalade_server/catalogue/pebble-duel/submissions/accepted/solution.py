# Plays the whole game out: a position wins if some move leads to one that loses.
import sys
from functools import cache

sys.setrecursionlimit(100_000)
p, q = map(int, input().split())
start = tuple(sorted(map(int, input().split())))
moves = list(map(int, input().split()))


@cache
def wins(heaps):
    for place, size in enumerate(heaps):
        for move in moves:
            if move <= size and not wins(tuple(sorted((*heaps[:place], size - move, *heaps[place + 1 :])))):
                return True
    return False


print("Alice" if wins(start) else "Bob")
