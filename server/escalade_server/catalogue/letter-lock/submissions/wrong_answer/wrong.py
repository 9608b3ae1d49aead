# Wrong: shifts in the other direction, and turns only up to the letter before place j.
word = list(input().strip())
for _ in range(int(input())):
    kind, *numbers = input().split()
    i, j = int(numbers[0]), int(numbers[-1])
    if kind == "shift":
        word = word[-i:] + word[:-i]
    elif kind == "turn":
        word[i - 1 : j - 1] = word[i - 1 : j - 1][::-1]
    else:
        word[i - 1], word[j - 1] = word[j - 1], word[i - 1]
print("".join(word))
