# Wrong: marks every minute in which some bell rings.
n, t = map(int, input().split())
every = list(map(int, input().split()))
print(sum(any(minute % minutes == 0 for minutes in every) for minute in range(1, t + 1)))
