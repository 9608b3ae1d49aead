"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 3 or lines[2]:
        return False
    n = int(lines[0])
    piles = [int(word) for word in lines[1].split(" ")]
    sum_without_carry = 0
    for pile in piles:
        sum_without_carry ^= pile
    return 1 <= n <= 20 and len(piles) == n and all(1 <= pile <= 1000 for pile in piles) and sum_without_carry != 0


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
