"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        return False
    p, q = (int(word) for word in lines[0].split(" "))
    heaps = [int(word) for word in lines[1].split(" ")]
    moves = [int(word) for word in lines[2].split(" ")]
    if not (1 <= p <= 3 and 1 <= q <= 10 and len(heaps) == p and len(moves) == q):
        return False
    return all(0 <= size <= 60 for size in heaps) and moves == sorted(set(moves)) and 1 <= moves[0] and moves[-1] <= 20


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
