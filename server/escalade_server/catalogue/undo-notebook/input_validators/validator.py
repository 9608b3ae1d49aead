"""Exits 42 if standard input is a valid input of the problem, else 43."""

def is_valid(text):
    lines = text.split("\n")
    q = int(lines[0])
    if not 1 <= q <= 200 or len(lines) != q + 2 or lines[-1]:
        return False
    lengths, at = [0], 0
    for line in lines[1:-1]:
        action, _, rest = line.partition(" ")
        if action in ("type", "erase"):
            del lengths[at + 1 :]
            if action == "type" and rest.isascii() and rest.isalpha() and rest.islower() and len(rest) <= 10:
                lengths.append(lengths[at] + len(rest))
            elif action == "erase" and 1 <= int(rest) <= lengths[at]:
                lengths.append(lengths[at] - int(rest))
            else:
                return False
            at += 1
        elif line == "undo" and at > 0:
            at -= 1
        elif line == "redo" and at + 1 < len(lengths):
            at += 1
        else:
            return False
    return lengths[at] > 0


if __name__ == "__main__":
    import sys

    try:
        valid = is_valid(sys.stdin.read())
    except (ValueError, IndexError):
        valid = False
    sys.exit(42 if valid else 43)
