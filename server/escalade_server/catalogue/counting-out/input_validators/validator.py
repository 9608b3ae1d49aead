"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 3 or lines[2]:
        return False
    n, k = (int(word) for word in lines[0].split(" "))
    children = lines[1]
    letters = children.isascii() and children.isalpha()
    return 1 <= n <= 52 and 1 <= k <= 1000 and letters and len(children) == len(set(children)) == n


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
