"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n, m = (int(word) for word in lines[0].split(" "))
    if not (2 <= n <= 100 and 1 <= m <= 500) or len(lines) != m + 2 or lines[-1]:
        return False
    near = {}
    for line in lines[1:-1]:
        a, b = (int(word) for word in line.split(" "))
        if not (1 <= a <= n and 1 <= b <= n and a != b) or b in near.setdefault(a, set()):
            return False
        near[a].add(b)
        near.setdefault(b, set()).add(a)
    first = next(iter(near))
    seen, pending = {first}, [first]
    while pending:
        for crossing in near[pending.pop()] - seen:
            seen.add(crossing)
            pending.append(crossing)
    odd = sum(len(ends) % 2 for ends in near.values())
    return seen == set(near) and odd <= 2


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
