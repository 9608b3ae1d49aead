"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    if len(lines) != 3 or lines[2]:
        return False
    n = int(lines[0])
    coins = [int(word) for word in lines[1].split(" ")]
    return 1 <= n <= 500 and len(coins) == n and all(1 <= coin <= 1000 for coin in coins)


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
