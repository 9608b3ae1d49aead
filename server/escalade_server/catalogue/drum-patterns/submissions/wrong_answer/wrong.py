# Wrong: counts the patterns from zero.
n, k = map(int, input().split())
left, pattern = list(range(1, n + 1)), []
patterns = 1
for i in range(2, n + 1):
    patterns *= i
k %= patterns
while left:
    patterns //= len(left)
    pattern.append(left.pop(k // patterns))
    k %= patterns
print(*pattern)
