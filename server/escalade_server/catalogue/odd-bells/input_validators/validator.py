"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 3 or lines[2]:
        return False
    n, t = (int(word) for word in lines[0].split(" "))
    every = [int(word) for word in lines[1].split(" ")]
    if not (1 <= n <= 10 and 1 <= t <= 100000 and len(every) == len(set(every)) == n):
        return False
    return all(2 <= minutes <= 1000 for minutes in every)


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
