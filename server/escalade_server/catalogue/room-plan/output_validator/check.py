import re


def integers(answer):
    """The whole numbers of an answer in any list notation; None if it holds anything else."""
    words = re.sub(r"->|[\\\[\](){},;]", " ", answer).split()
    if not words or not all(re.fullmatch(r"-?[0-9]{1,18}", word) for word in words):
        return None
    return [int(word) for word in words]


def check(input, answer, reference):
    wishes = [[int(word) for word in line.split()] for line in input.strip().split("\n")[1:]]
    clubs = integers(answer)
    if clubs is None or len(set(clubs)) != len(clubs) or not all(1 <= club <= len(wishes) for club in clubs):
        return False
    times = sorted(wishes[club - 1] for club in clubs)
    apart = all(before[1] <= after[0] for before, after in zip(times, times[1:]))
    return apart and len(clubs) == len(reference.split())


if __name__ == "__main__":
    # The same judge in Kattis form: check.py INPUT ANSWER FEEDBACK_DIR, the output on standard input.
    import sys

    with open(sys.argv[1]) as given, open(sys.argv[2]) as expected:
        sys.exit(42 if check(given.read(), sys.stdin.read(), expected.read()) else 43)
