"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n, q = (int(word) for word in lines[0].split(" "))
    if not (2 <= n <= 50 and 1 <= q <= 200) or len(lines) != n + q + 2 or lines[-1]:
        return False
    litres = []
    for line in lines[1 : n + 1]:
        held, degrees = (int(word) for word in line.split(" "))
        if not (1 <= held <= 1000 and 0 <= degrees <= 100):
            return False
        litres.append(held)
    for line in lines[n + 1 : -1]:
        a, b, x = (int(word) for word in line.split(" "))
        if not (1 <= a <= n and 1 <= b <= n and a != b and 1 <= x <= litres[a - 1]):
            return False
        litres[a - 1] -= x
        litres[b - 1] += x
    return litres[0] > 0


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
