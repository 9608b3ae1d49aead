# Backwards: for each place in the end, where its letter was before each step.
start = input().strip()
n = len(start)
steps = [input().split() for _ in range(int(input()))]
word = ""
for place in range(1, n + 1):
    for kind, *numbers in reversed(steps):
        i, j = int(numbers[0]), int(numbers[-1])
        if kind == "shift":
            place = (place + i - 1) % n + 1
        elif kind == "turn" and i <= place <= j:
            place = i + j - place
        elif kind == "swap" and place in (i, j):
            place = i + j - place
    word += start[place - 1]
print(word)
