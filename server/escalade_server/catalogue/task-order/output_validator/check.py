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
    order = integers(answer)
    if order is None or sorted(order) != list(range(1, n + 1)):
        return False
    place = {task: at for at, task in enumerate(order)}
    return all(place[a] < place[b] for a, b in lines[1:])


if __name__ == "__main__":
    # The same judge in Kattis form: check.py INPUT ANSWER FEEDBACK_DIR, the output on standard input.
    import sys

    with open(sys.argv[1]) as given, open(sys.argv[2]) as expected:
        sys.exit(42 if check(given.read(), sys.stdin.read(), expected.read()) else 43)
