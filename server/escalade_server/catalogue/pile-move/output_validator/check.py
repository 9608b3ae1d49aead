import re


def integers(answer):
    """The whole numbers of an answer in any list notation; None if it holds anything else."""
    words = re.sub(r"->|[\\\[\](){},;]", " ", answer).split()
    if not words or not all(re.fullmatch(r"-?[0-9]{1,18}", word) for word in words):
        return None
    return [int(word) for word in words]


def check(input, answer, reference):
    piles = [int(word) for word in input.split()[1:]]
    move = integers(answer)
    if move is None or len(move) != 2:
        return False
    pile, stones = move
    if not 1 <= pile <= len(piles) or not 1 <= stones <= piles[pile - 1]:
        return False
    piles[pile - 1] -= stones
    left = 0
    for size in piles:
        left ^= size
    return left == 0


if __name__ == "__main__":
    # The same judge in Kattis form: check.py INPUT ANSWER FEEDBACK_DIR, the output on standard input.
    import sys

    with open(sys.argv[1]) as given, open(sys.argv[2]) as expected:
        sys.exit(42 if check(given.read(), sys.stdin.read(), expected.read()) else 43)
