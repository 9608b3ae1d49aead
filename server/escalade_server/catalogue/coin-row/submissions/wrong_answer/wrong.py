# Wrong: both always take the larger coin of the two ends.
n = int(input())
coins = list(map(int, input().split()))
money = [0, 0]
for turn in range(n):
    money[turn % 2] += coins.pop(0 if coins[0] >= coins[-1] else -1)
print(money[0])
