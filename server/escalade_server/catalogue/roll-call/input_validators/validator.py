"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    initials = text[:-1]
    if not text.endswith("\n") or not 1 <= len(initials) <= 200:
        return False
    return initials.isascii() and initials.isalpha() and initials.islower()


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
