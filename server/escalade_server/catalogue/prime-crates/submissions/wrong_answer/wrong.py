# Wrong: prints every label only once.
n = int(input())
labels = []
for divisor in range(2, int(n**0.5) + 1):
    if n % divisor == 0:
        labels.append(divisor)
    while n % divisor == 0:
        n //= divisor
print(*labels, *([n] if n > 1 else []))
