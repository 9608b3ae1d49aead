# Wrong: reads the larger of the two in the middle.
n = int(input())
score = list(map(int, input().split()))
print(*(sorted(score[:end])[end // 2] for end in range(1, n + 1)))
