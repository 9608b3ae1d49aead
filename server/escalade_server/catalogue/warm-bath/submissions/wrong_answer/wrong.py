# Wrong: takes the plain mean of the two temperatures.
n, q = map(int, input().split())
degrees = [0.0] + [float(input().split()[1]) for _ in range(n)]
for _ in range(q):
    a, b, _ = map(int, input().split())
    degrees[b] = (degrees[a] + degrees[b]) / 2
print(f"{degrees[1]:.9f}")
