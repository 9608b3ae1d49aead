import random


def generate_testcase(params):
    n, brackets = params["n"], params["brackets"]
    longest = 4 * n + 2
    alphabet = "abcdefgh"[: 3 + n // 4]
    parts = [(letter, 1) for letter in (random.choice(alphabet) for _ in range(n))]
    for _ in range(brackets):
        # Mostly short runs of parts, so that brackets nest; a run that would make the ribbon too long is given up.
        for _ in range(20):
            first = random.randrange(len(parts))
            last = min(len(parts), first + random.randint(1, 3))
            count = random.choice([2, 2, 2, 3, 3, 4, 5])
            run = parts[first:last]
            woven = sum(length for _, length in run)
            total = sum(length for _, length in parts)
            if total + (count - 1) * woven <= longest and not (len(run) == 1 and run[0][0][0].isdigit()):
                parts[first:last] = [(f"{count}({''.join(text for text, _ in run)})", count * woven)]
                break
    pattern = "".join(text for text, _ in parts)
    return f"{pattern}\n", {"pattern": pattern}
