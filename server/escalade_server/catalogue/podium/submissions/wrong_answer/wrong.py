# Wrong: of equal runners, places the one with the smaller number first.
n = int(input())
results = [tuple(map(int, input().split())) for _ in range(n)]
print(*sorted(range(1, n + 1), key=lambda number: (-results[number - 1][0], results[number - 1][1])))
