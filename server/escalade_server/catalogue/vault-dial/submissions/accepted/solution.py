# Squares the map x -> a x + b: after 2, 4, 8, ... clicks it is a map of the same kind.
m, x, a, b, k = map(int, input().split())
while k:
    if k % 2:
        x = (a * x + b) % m
    a, b = a * a % m, (a * b + b) % m
    k //= 2
print(x)
