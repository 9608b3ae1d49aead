# Wrong: adds before it multiplies.
m, x, a, b, k = map(int, input().split())
for _ in range(k):
    x = a * (x + b) % m
print(x)
