# Tries every move, largest pile first, and looks whether every column of binary digits is then even.
n = int(input())
piles = list(map(int, input().split()))


def lost(sizes):
    columns = [0] * 10
    for size in sizes:
        for column, digit in enumerate(reversed(format(size, "b"))):
            columns[column] += digit == "1"
    return not any(count % 2 for count in columns)


def moves():
    for pile in sorted(range(n), key=lambda i: -piles[i]):
        for stones in range(1, piles[pile] + 1):
            if lost(piles[:pile] + [piles[pile] - stones] + piles[pile + 1 :]):
                yield pile + 1, stones


print(*next(moves()))
