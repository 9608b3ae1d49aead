"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n = int(lines[0])
    if not 1 <= n <= 20 or len(lines) != n + 2 or lines[-1]:
        return False
    rest = [[int(word) for word in line.split(" ")] for line in lines[1:-1]]
    return all(len(box) == 2 and 1 <= box[0] < box[1] <= 40 for box in rest)


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
