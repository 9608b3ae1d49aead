# Steps from each pattern to the next one, k - 1 times.
n, k = map(int, input().split())
pattern = list(range(1, n + 1))
for _ in range(k - 1):
    fall = n - 2
    while pattern[fall] > pattern[fall + 1]:
        fall -= 1
    larger = n - 1
    while pattern[larger] < pattern[fall]:
        larger -= 1
    pattern[fall], pattern[larger] = pattern[larger], pattern[fall]
    pattern[fall + 1 :] = reversed(pattern[fall + 1 :])
print(*pattern)
