"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n, m = (int(word) for word in lines[0].split(" "))
    if not (2 <= n <= 200 and 1 <= m <= 2000) or len(lines) != m + 2 or lines[-1]:
        return False
    rules = {tuple(int(word) for word in line.split(" ")) for line in lines[1:-1]}
    if len(rules) != m or not all(len(rule) == 2 and 1 <= min(rule) <= max(rule) <= n for rule in rules):
        return False
    left = set(range(1, n + 1))
    while left:
        free = left - {b for a, b in rules if a in left}
        if not free:
            return False
        left -= free
    return True


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
