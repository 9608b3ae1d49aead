# Wrong: takes the two heaviest that lie side by side.
n = int(input())
weight = list(map(int, input().split()))
print(max(one + other for one, other in zip(weight, weight[1:])))
