"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    tiles = text[:-1]
    if not text.endswith("\n") or not 2 <= len(tiles) <= 27:
        return False
    if not (tiles.isascii() and tiles.isalpha() and tiles.islower()):
        return False
    return len(set(tiles)) == len(tiles) - 1


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
