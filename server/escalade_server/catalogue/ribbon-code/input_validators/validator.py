"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    pattern = text[:-1]
    if text[-1:] != "\n" or not 1 <= len(pattern) <= 400:
        return False
    lengths, counts, number = [0], [], ""
    for letter in pattern:
        if letter in "0123456789":
            number += letter
            continue
        if (letter == "(") != bool(number):
            return False
        if letter == "(":
            if number[0] == "0" or not 2 <= int(number) <= 99:
                return False
            counts.append(int(number))
            lengths.append(0)
            number = ""
        elif letter == ")":
            if not counts or not lengths[-1]:
                return False
            woven = lengths.pop() * counts.pop()
            lengths[-1] += woven
        elif letter in "abcdefghijklmnopqrstuvwxyz":
            lengths[-1] += 1
        else:
            return False
    return not counts and not number and 1 <= lengths[0] <= 5000


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
