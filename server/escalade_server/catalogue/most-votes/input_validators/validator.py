"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    votes = text[:-1]
    if not text.endswith("\n") or not 3 <= len(votes) <= 200:
        return False
    if not (votes.isascii() and votes.isalpha() and votes.islower()):
        return False
    counts = sorted(votes.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz")
    return counts[-1] > counts[-2]


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
