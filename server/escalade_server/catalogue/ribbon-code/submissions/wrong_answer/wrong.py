# Wrong: remembers only the number read last, so an outer bracket repeats as often as the inner one.
import re

pattern = input().strip()
ribbons, number = [""], 1
for piece in re.findall(r"\d+|.", pattern):
    if piece.isdigit():
        number = int(piece)
    elif piece == "(":
        ribbons.append("")
    elif piece == ")":
        part = ribbons.pop()
        ribbons[-1] += number * part
    else:
        ribbons[-1] += piece
print(ribbons[0])
