# Wrong: always stops at the cheapest station in reach.
n, k = map(int, input().split())
toll = list(map(int, input().split()))
station, paid = 0, toll[0]
while station < n - 1:
    if station + k >= n - 1:
        station = n - 1
    else:
        station = min(range(station + 1, station + k + 1), key=lambda following: toll[following])
    paid += toll[station]
print(paid)
