import random


def generate_testcase(params):
    n, m = params["n"], params["m"]
    pairs = set()
    for village in range(2, n + 1):
        pairs.add((random.randint(max(1, village - 3), village - 1), village))
    m = min(m, n * (n - 1) // 2)
    while len(pairs) < m:
        pairs.add(tuple(sorted(random.sample(range(1, n + 1), 2))))
    names = list(range(1, n + 1))
    random.shuffle(names)
    roads = []
    for a, b in sorted(pairs):
        ends = random.sample((names[a - 1], names[b - 1]), 2)
        roads.append([*ends, random.randint(1, 9) * random.choice((1, 1, 3))])
    random.shuffle(roads)
    lines = "".join(f"{a} {b} {d}\n" for a, b, d in roads)
    return f"{n} {len(roads)}\n{lines}", {"n": n, "m": len(roads), "roads": roads}
