"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n = int(lines[0])
    if not 1 <= n <= 200 or len(lines) != n + 2 or lines[-1]:
        return False
    for line in lines[1:-1]:
        x1, y1, x2, y2 = (int(word) for word in line.split(" "))
        if not (0 <= x1 < x2 <= 1000 and 0 <= y1 < y2 <= 1000):
            return False
    return True


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
