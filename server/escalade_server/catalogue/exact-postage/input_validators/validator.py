"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 3 or lines[2]:
        return False
    n, total = (int(word) for word in lines[0].split(" "))
    values = [int(word) for word in lines[1].split(" ")]
    if not (1 <= n <= 20 and 1 <= total <= 5000 and len(values) == len(set(values)) == n):
        return False
    if not all(1 <= value <= 1000 for value in values):
        return False
    reachable = 1
    for cents in range(1, total + 1):
        if any(cents >= value and reachable >> (cents - value) & 1 for value in values):
            reachable |= 1 << cents
    return bool(reachable >> total & 1)


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
