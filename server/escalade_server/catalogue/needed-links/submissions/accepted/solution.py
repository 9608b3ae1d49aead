# A link is needed if the longest way between its topics is the link itself.
from functools import cache

n, m = map(int, input().split())
after = {topic: [] for topic in range(1, n + 1)}
links = [tuple(map(int, input().split())) for _ in range(m)]
for a, b in links:
    after[a].append(b)


@cache
def longest(a, b):
    """Number of links on the longest way from a to b; very small if there is none."""
    if a == b:
        return 0
    return max((1 + longest(following, b) for following in after[a]), default=-1000)


for a, b in links:
    if longest(a, b) == 1:
        print(a, b)
