"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    n = int(lines[0])
    if not 3 <= n <= 500 or len(lines) != n + 2 or lines[-1]:
        return False
    posts = [tuple(int(word) for word in line.split(" ")) for line in lines[1:-1]]
    if len(set(posts)) != n or not all(len(post) == 2 and 0 <= min(post) and max(post) <= 10000 for post in posts):
        return False
    (ax, ay), (bx, by), *rest = posts
    return any((bx - ax) * (y - ay) != (by - ay) * (x - ax) for x, y in rest)


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
