"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    tiles = text[:-1]
    if not text.endswith("\n") or not 1 <= len(tiles) <= 25 or len(set(tiles)) != len(tiles):
        return False
    return all(letter in "abcdefghijklmnopqrstuvwxyz"[: len(tiles) + 1] for letter in tiles)


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
