"""Exits 42 if standard input is a valid input of the problem, else 43."""

from math import factorial


def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 2 or lines[1]:
        return False
    n, k = (int(word) for word in lines[0].split(" "))
    return 1 <= n <= 12 and 1 <= k <= min(20000, factorial(n))


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
