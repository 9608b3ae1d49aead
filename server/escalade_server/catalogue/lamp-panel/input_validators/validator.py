"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n, m = (int(word) for word in lines[0].split(" "))
    if not (1 <= n <= 14 and 1 <= m <= 40) or len(lines) != m + 3 or lines[-1]:
        return False
    words = lines[1:-1]
    if not all(len(word) == n and set(word) <= {"0", "1"} for word in words) or "1" not in words[-1]:
        return False
    reached = {0}
    for word in words[:-1]:
        reached |= {lamps ^ int(word, 2) for lamps in reached}
    return int(words[-1], 2) in reached


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
