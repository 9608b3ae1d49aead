# Wrong: levels the largest pile with the second largest, or takes one stone where both are equal.
n = int(input())
piles = list(map(int, input().split()))
second, first = sorted(range(n), key=lambda i: piles[i])[-2:] if n > 1 else (0, 0)
print(first + 1, max(1, piles[first] - piles[second]))
