"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 2 or lines[1]:
        return False
    m, x, a, b, k = (int(word) for word in lines[0].split(" "))
    return 2 <= m <= 10**6 and all(0 <= number < m for number in (x, a, b)) and 1 <= k <= 10**6


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
