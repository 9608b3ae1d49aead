"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 3 or lines[2]:
        return False
    n = int(lines[0])
    diary = [int(word) for word in lines[1].split(" ")]
    return 3 <= n <= 200 and len(diary) == n - 2 and all(1 <= knot <= n for knot in diary)


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
