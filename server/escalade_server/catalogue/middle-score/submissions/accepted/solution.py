# A counting array over the possible scores; walk up until half of the throws are covered.
n = int(input())
score = list(map(int, input().split()))
count = [0] * 1001
read = []
for thrown, metres in enumerate(score, start=1):
    count[metres] += 1
    covered, value = 0, 0
    while covered < (thrown + 1) // 2:
        value += 1
        covered += count[value]
    read.append(value)
print(*read)
