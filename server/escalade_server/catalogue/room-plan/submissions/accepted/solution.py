# From the last start to the first: the best plan that begins with this club, or without it.
from bisect import bisect_left

n = int(input())
wishes = sorted((*map(int, input().split()), club) for club in range(1, n + 1))
starts = [start for start, _, _ in wishes]
size = [0] * (n + 1)
following = [0] * n
for i in range(n - 1, -1, -1):
    following[i] = bisect_left(starts, wishes[i][1])
    size[i] = max(size[i + 1], 1 + size[following[i]])
chosen, i = [], 0
while i < n:
    if size[i] == size[i + 1]:
        i += 1
    else:
        chosen.append(wishes[i][2])
        i = following[i]
print(*chosen)
