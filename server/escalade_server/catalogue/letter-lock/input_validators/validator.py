"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    start, q = lines[0], int(lines[1])
    n = len(start)
    if not (2 <= n <= 52 and len(set(start)) == n and start.isascii() and start.isalpha()):
        return False
    if not 1 <= q <= 100 or len(lines) != q + 3 or lines[-1]:
        return False
    for line in lines[2:-1]:
        kind, *numbers = line.split(" ")
        numbers = [int(number) for number in numbers]
        if kind == "shift" and len(numbers) == 1 and 1 <= numbers[0] < n:
            continue
        if kind not in ("turn", "swap") or len(numbers) != 2 or not 1 <= numbers[0] < numbers[1] <= n:
            return False
    return True


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
