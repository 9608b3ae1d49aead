# Count, metre by metre, the lamps that are switched on; no sorting.
n = int(input())
change = [0] * 100002
for _ in range(n):
    left, right = map(int, input().split())
    change[left] += 1
    change[right] -= 1
lit = burning = 0
for difference in change:
    burning += difference
    lit += burning > 0
print(lit)
