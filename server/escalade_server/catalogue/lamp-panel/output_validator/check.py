import re


def integers(answer):
    """The whole numbers of an answer in any list notation; None if it holds anything else."""
    words = re.sub(r"->|[\\\[\](){},;]", " ", answer).split()
    if not words or not all(re.fullmatch(r"-?[0-9]{1,18}", word) for word in words):
        return None
    return [int(word) for word in words]


def check(input, answer, reference):
    words = input.split()[2:]
    switches, goal = words[:-1], words[-1]
    pressed = integers(answer)
    if pressed is None or len(set(pressed)) != len(pressed) or not all(1 <= i <= len(switches) for i in pressed):
        return False
    lamps = 0
    for i in pressed:
        lamps ^= int(switches[i - 1], 2)
    return lamps == int(goal, 2)


if __name__ == "__main__":
    # The same judge in Kattis form: check.py INPUT ANSWER FEEDBACK_DIR, the output on standard input.
    import sys

    with open(sys.argv[1]) as given, open(sys.argv[2]) as expected:
        sys.exit(42 if check(given.read(), sys.stdin.read(), expected.read()) else 43)
