"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 3 or lines[2] or len(lines[1]) != 1:
        return False
    line, child = lines[0], lines[1]
    if not (2 <= len(line) <= 26 and line.isascii() and line.isalpha() and line.islower()):
        return False
    return len(set(line)) == len(line) and child in line[:-1]


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
