import random


def generate_testcase(params):
    n = params["n"]
    m = min(params["m"], n * (n - 1) // 2)
    apples = [random.randint(1, 9 if n < 8 else 50) for _ in range(n)]
    pairs = set()
    while len(pairs) < m:
        a, b = random.sample(range(1, n + 1), 2)
        if (a, b) not in pairs and (b, a) not in pairs:
            pairs.add((a, b))
    bridges = [list(pair) for pair in sorted(pairs)]
    random.shuffle(bridges)
    lines = "".join(f"{a} {b}\n" for a, b in bridges)
    return f"{n} {m}\n{' '.join(map(str, apples))}\n{lines}", {"n": n, "m": m, "apples": apples, "bridges": bridges}
