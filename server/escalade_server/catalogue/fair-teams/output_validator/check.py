import re


def integers(answer):
    """The whole numbers of an answer in any list notation; None if it holds anything else."""
    words = re.sub(r"->|[\\\[\](){},;]", " ", answer).split()
    if not words or not all(re.fullmatch(r"-?[0-9]{1,18}", word) for word in words):
        return None
    return [int(word) for word in words]


def check(input, answer, reference):
    strength = [int(word) for word in input.split()[1:]]
    team = integers(answer)
    if team is None or len(set(team)) != len(team) or not all(1 <= child <= len(strength) for child in team):
        return False
    return 2 * sum(strength[child - 1] for child in team) == sum(strength)


if __name__ == "__main__":
    # The same judge in Kattis form: check.py INPUT ANSWER FEEDBACK_DIR, the output on standard input.
    import sys

    with open(sys.argv[1]) as given, open(sys.argv[2]) as expected:
        sys.exit(42 if check(given.read(), sys.stdin.read(), expected.read()) else 43)
