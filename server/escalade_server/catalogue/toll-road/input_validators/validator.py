"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 3 or lines[2]:
        return False
    n, k = (int(word) for word in lines[0].split(" "))
    toll = [int(word) for word in lines[1].split(" ")]
    return 2 <= n <= 1000 and 1 <= k <= n and len(toll) == n and all(1 <= coins <= 1000 for coins in toll)


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
