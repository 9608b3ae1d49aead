"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n, t = (int(word) for word in lines[0].split(" "))
    if not (2 <= n <= 30 and 1 <= t <= 100) or len(lines) != n + 2 or lines[-1]:
        return False
    rows = [line.split(" ") for line in lines[1:-1]]
    return all(len(row) == n and set(row) <= {"0", "1"} for row in rows)


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
