import random


def generate_testcase(params):
    n, m = params["n"], params["m"]
    m = min(m, n * (n - 1) // 2)
    # Huts lie in a row in hidden order; trails join near ones, so that quick routes have several stops.
    row = list(range(2, n))
    random.shuffle(row)
    row = [1, *row, n]
    pairs = set()
    for place in range(1, n):
        pairs.add((random.randint(max(0, place - 3), place - 1), place))
    reach = 3
    while len(pairs) < m:
        place = random.randrange(n - 1)
        pairs.add((place, min(n - 1, place + random.randint(1, reach))))
        reach = min(n, reach + (random.random() < 0.05))
    trails = []
    for low, high in sorted(pairs):
        minutes = (high - low) * random.randint(4, 12) + random.randint(0, 5)
        ends = [row[low], row[high]]
        random.shuffle(ends)
        trails.append([*ends, minutes])
    random.shuffle(trails)
    lines = "".join(f"{a} {b} {t}\n" for a, b, t in trails)
    return f"{n} {len(trails)}\n{lines}", {"n": n, "m": len(trails), "trails": trails}
