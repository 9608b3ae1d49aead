"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n, m = (int(word) for word in lines[0].split(" "))
    if not (2 <= n <= 200 and 1 <= m <= 2000) or len(lines) != m + 2 or lines[-1]:
        return False
    near = {hut: set() for hut in range(1, n + 1)}
    for line in lines[1:-1]:
        a, b, t = (int(word) for word in line.split(" "))
        if not (1 <= a <= n and 1 <= b <= n and a != b and 1 <= t <= 1000) or b in near[a]:
            return False
        near[a].add(b)
        near[b].add(a)
    seen, pending = {1}, [1]
    while pending:
        for hut in near[pending.pop()] - seen:
            seen.add(hut)
            pending.append(hut)
    return n in seen


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
