# Wrong: from left to right, mends each lamp with the first unused switch that changes it.
n, m = map(int, input().split())
masks = [int(input(), 2) for _ in range(m)]
goal = int(input(), 2)
lamps, pressed = 0, []
for bit in range(n - 1, -1, -1):
    if (lamps ^ goal) >> bit & 1:
        for i, mask in enumerate(masks, start=1):
            if mask >> bit & 1 and i not in pressed:
                lamps ^= mask
                pressed.append(i)
                break
print(*pressed)
