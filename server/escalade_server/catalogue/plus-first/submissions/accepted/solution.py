# Two stacks, one for values and one for signs that still wait.
import re

STRENGTH = {"+": 2, "-": 2, "*": 1, "(": 0}
values, signs = [], []


def work():
    sign, right, left = signs.pop(), values.pop(), values.pop()
    values.append({"+": left + right, "-": left - right, "*": left * right}[sign])


for piece in re.findall(r"\d+|\D", "(" + input().strip() + ")"):
    if piece.isdigit():
        values.append(int(piece))
    elif piece == "(":
        signs.append(piece)
    elif piece == ")":
        while signs[-1] != "(":
            work()
        signs.pop()
    else:
        while STRENGTH[signs[-1]] >= STRENGTH[piece]:
            work()
        signs.append(piece)
print(values[0])
