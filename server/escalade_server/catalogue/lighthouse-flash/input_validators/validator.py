"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n = int(lines[0])
    if not 2 <= n <= 20 or len(lines) != n + 2 or lines[-1]:
        return False
    lights = [[int(word) for word in line.split(" ")] for line in lines[1:-1]]
    return all(len(light) == 2 and 0 <= light[0] < light[1] <= 100 for light in lights)


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
