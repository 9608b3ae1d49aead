# All lamp patterns that the first switches can reach, one switch at a time, with the switches pressed.
n, m = map(int, input().split())
reached = {0: []}
for i in range(1, m + 1):
    mask = int(input(), 2)
    for lamps, pressed in list(reached.items()):
        reached.setdefault(lamps ^ mask, [*pressed, i])
print(*reached[int(input(), 2)])
