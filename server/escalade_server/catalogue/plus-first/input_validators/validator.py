"""Exits 42 if standard input is a valid input of the problem, else 43."""

import re


def is_valid(text):
    expression = text[:-1]
    if text[-1:] != "\n" or not 1 <= len(expression) <= 500:
        return False
    if not re.fullmatch(r"[0-9+*()-]+", expression) or re.search(r"[0-9]{4}|(?<![0-9])0[0-9]", expression):
        return False
    # Replace parts by 0, from small to large, until only one value is left.
    before = None
    short = re.sub(r"[0-9]+", "0", expression)
    while short != before:
        before = short
        short = re.sub(r"0[+*-]0", "0", short).replace("(0)", "0")
    return short == "0" and not re.search(r"[0-9)]\(|\)[0-9]", expression)


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
