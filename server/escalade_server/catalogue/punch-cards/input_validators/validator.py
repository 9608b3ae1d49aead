"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n, m = (int(word) for word in lines[0].split(" "))
    if not (2 <= n <= 1000 and 1 <= m <= 40) or len(lines) != n + 3 or lines[-1]:
        return False
    cost = [int(word) for word in lines[1].split(" ")]
    cards = lines[2:-1]
    return (
        len(cost) == m
        and all(1 <= one <= 1000 for one in cost)
        and all(len(card) == m and set(card) <= {"0", "1"} for card in cards)
    )


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
