# Looks two turns ahead, from the whole row down: Noah leaves Mia the worse of what he can leave.
import sys
from functools import cache

sys.setrecursionlimit(10_000)
n = int(input())
coins = list(map(int, input().split()))


@cache
def best(left, right):
    """Mia's money from coins[left:right] when it is her turn."""
    if left >= right:
        return 0
    take_left = coins[left] + min(best(left + 2, right), best(left + 1, right - 1))
    take_right = coins[right - 1] + min(best(left + 1, right - 1), best(left, right - 2))
    return max(take_left, take_right)


print(best(0, n))
