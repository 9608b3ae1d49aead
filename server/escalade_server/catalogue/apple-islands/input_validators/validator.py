"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n, m = (int(word) for word in lines[0].split(" "))
    if not (1 <= n <= 500 and 0 <= m <= 2000) or len(lines) != m + 3 or lines[-1]:
        return False
    apples = [int(word) for word in lines[1].split(" ")]
    bridges = [[int(word) for word in line.split(" ")] for line in lines[2:-1]]
    joined = all(len(ends) == 2 and 1 <= min(ends) < max(ends) <= n for ends in bridges)
    return joined and len(apples) == n and all(1 <= grown <= 1000 for grown in apples)


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
