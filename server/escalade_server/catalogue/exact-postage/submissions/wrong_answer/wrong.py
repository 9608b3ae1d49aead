# Wrong: always takes the largest stamp that still fits.
n, total = map(int, input().split())
values = sorted(map(int, input().split()), reverse=True)
stamps = []
for value in values:
    while value <= total:
        stamps.append(value)
        total -= value
print(*stamps)
