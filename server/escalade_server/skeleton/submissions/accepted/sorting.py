n = int(input())
weight = sorted(map(int, input().split()))
print(weight[-1] + weight[-2])
