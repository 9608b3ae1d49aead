# Index arithmetic on the ring that remains.
n, k = map(int, input().split())
ring = list(input().strip())
order, start = "", 0
while ring:
    start = (start + k - 1) % len(ring)
    order += ring.pop(start)
print(order)
