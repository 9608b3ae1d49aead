def check(input, answer, reference):
    tune = answer.strip().strip("[]()\"'`. ")
    if len(tune) != len(reference.strip()):
        return False
    for word in input.split():
        rest = iter(word)
        if not all(note in rest for note in tune):
            return False
    return True


if __name__ == "__main__":
    # The same judge in Kattis form: check.py INPUT ANSWER FEEDBACK_DIR, the output on standard input.
    import sys

    with open(sys.argv[1]) as given, open(sys.argv[2]) as expected:
        sys.exit(42 if check(given.read(), sys.stdin.read(), expected.read()) else 43)
