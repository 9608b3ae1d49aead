"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n = int(lines[0])
    if not 2 <= n <= 1000 or len(lines) != n + 1 or lines[-1]:
        return False
    near = {chamber: set() for chamber in range(1, n + 1)}
    for line in lines[1:-1]:
        a, b, d = (int(word) for word in line.split(" "))
        if not (1 <= a <= n and 1 <= b <= n and a != b and 1 <= d <= 1000):
            return False
        near[a].add(b)
        near[b].add(a)
    seen, pending = {1}, [1]
    while pending:
        for chamber in near[pending.pop()] - seen:
            seen.add(chamber)
            pending.append(chamber)
    return len(seen) == n


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
