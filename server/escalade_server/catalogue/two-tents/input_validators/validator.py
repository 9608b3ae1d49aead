"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n, m = (int(word) for word in lines[0].split(" "))
    if not (2 <= n <= 200 and 1 <= m <= 1000) or len(lines) != m + 2 or lines[-1]:
        return False
    pairs = [sorted(int(word) for word in line.split(" ")) for line in lines[1:-1]]
    ordered = all(len(pair) == 2 and 1 <= pair[0] < pair[1] <= n for pair in pairs)
    return ordered and len(set(map(tuple, pairs))) == m


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
