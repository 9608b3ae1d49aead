# Wrong: takes the clubs in the order in which they come in.
n = int(input())
wishes = sorted((*map(int, input().split()), club) for club in range(1, n + 1))
chosen, free = [], 0
for start, end, club in wishes:
    if start >= free:
        chosen.append(club)
        free = end
print(*chosen)
