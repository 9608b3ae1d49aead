import re


def integers(answer):
    """The whole numbers of an answer in any list notation; None if it holds anything else."""
    words = re.sub(r"->|[\\\[\](){},;]", " ", answer).split()
    if not words or not all(re.fullmatch(r"-?[0-9]{1,18}", word) for word in words):
        return None
    return [int(word) for word in words]


def check(input, answer, reference):
    head, line = input.strip().split("\n")
    total = int(head.split()[1])
    values = set(map(int, line.split()))
    stamps = integers(answer)
    if stamps is None or not values.issuperset(stamps):
        return False
    return sum(stamps) == total and len(stamps) == len(reference.split())


if __name__ == "__main__":
    # The same judge in Kattis form: check.py INPUT ANSWER FEEDBACK_DIR, the output on standard input.
    import sys

    with open(sys.argv[1]) as given, open(sys.argv[2]) as expected:
        sys.exit(42 if check(given.read(), sys.stdin.read(), expected.read()) else 43)
