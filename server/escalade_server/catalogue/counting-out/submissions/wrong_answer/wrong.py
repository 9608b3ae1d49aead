# Wrong: starts each count at zero, so the child after the right one leaves.
n, k = map(int, input().split())
ring = list(input().strip())
order, start = "", 0
while ring:
    start = (start + k) % len(ring)
    order += ring.pop(start)
print(order)
