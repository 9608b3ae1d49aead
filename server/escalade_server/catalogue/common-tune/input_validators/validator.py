"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 3 or lines[2]:
        return False
    letters = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    words = lines[:2]
    return all(1 <= len(word) <= 500 and letters.issuperset(word) for word in words) and bool(set(words[0]) & set(words[1]))


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
