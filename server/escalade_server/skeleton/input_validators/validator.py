"""Exits 42 if standard input is a valid input of the problem, else 43."""

import sys


def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 3 or lines[2]:
        return False
    n = int(lines[0])
    weight = [int(word) for word in lines[1].split(" ")]
    return 2 <= n <= 200 and len(weight) == n and all(1 <= one <= 100_000 for one in weight)


try:
    valid = is_valid(sys.stdin.read())
except ValueError:
    valid = False
sys.exit(42 if valid else 43)
