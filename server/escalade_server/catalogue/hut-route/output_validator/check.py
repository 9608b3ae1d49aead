import re


def integers(answer):
    """The whole numbers of an answer in any list notation; None if it holds anything else."""
    words = re.sub(r"->|[\\\[\](){},;]", " ", answer).split()
    if not words or not all(re.fullmatch(r"-?[0-9]{1,18}", word) for word in words):
        return None
    return [int(word) for word in words]


def check(input, answer, reference):
    lines = [[int(word) for word in line.split()] for line in input.strip().split("\n")]
    n = lines[0][0]
    minutes = {}
    for a, b, t in lines[1:]:
        minutes[a, b] = minutes[b, a] = t
    route = integers(answer)
    if route is None or route[0] != 1 or route[-1] != n:
        return False
    steps = list(zip(route, route[1:]))
    if not all(step in minutes for step in steps):
        return False
    best = [int(word) for word in reference.split()]
    return sum(minutes[step] for step in steps) == sum(minutes[step] for step in zip(best, best[1:]))


if __name__ == "__main__":
    # The same judge in Kattis form: check.py INPUT ANSWER FEEDBACK_DIR, the output on standard input.
    import sys

    with open(sys.argv[1]) as given, open(sys.argv[2]) as expected:
        sys.exit(42 if check(given.read(), sys.stdin.read(), expected.read()) else 43)
