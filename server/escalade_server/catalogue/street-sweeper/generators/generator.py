import random


def generate_testcase(params):
    n, m = params["n"], params["m"]
    longest = set()
    for _ in range(50):
        at = random.randint(1, n)
        used = set()
        while len(used) < m:
            ends = [b for b in range(1, n + 1) if b != at and (min(at, b), max(at, b)) not in used]
            if not ends:
                break
            following = random.choice(ends)
            used.add((min(at, following), max(at, following)))
            at = following
        longest = max(longest, used, key=len)
        if len(longest) == m:
            break
    # With few crossings, walks may get stuck before they have m streets.
    m = len(longest)
    streets = [random.sample(street, 2) for street in sorted(longest)]
    random.shuffle(streets)
    lines = "".join(f"{a} {b}\n" for a, b in streets)
    return f"{n} {m}\n{lines}", {"n": n, "m": m, "streets": streets}
