"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 3 or lines[2]:
        return False
    n = int(lines[0])
    strength = [int(word) for word in lines[1].split(" ")]
    if not (2 <= n <= 30 and len(strength) == n and all(1 <= one <= 2000 for one in strength)):
        return False
    sums = 1
    for one in strength:
        sums |= sums << one
    return sum(strength) % 2 == 0 and bool(sums >> sum(strength) // 2 & 1)


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
