"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n, k = (int(word) for word in lines[0].split(" "))
    if not (1 <= n <= 60 and 1 <= k <= 8) or len(lines) != k + 2 or lines[-1]:
        return False
    slabs = [tuple(int(word) for word in line.split(" ")) for line in lines[1:-1]]
    if not all(len(slab) == 2 and 1 <= slab[0] <= 20 and 1 <= slab[1] <= 9 for slab in slabs):
        return False
    ways = [1]
    for foot in range(1, n + 1):
        ways.append(sum(colours * ways[foot - length] for length, colours in slabs if length <= foot))
    return len({length for length, _ in slabs}) == k and ways[n] < 10**17


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
