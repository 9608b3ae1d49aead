import random


def generate_testcase(params):
    n, m = params["n"], params["m"]
    m = max(n - 1, min(m, n * (n - 1) // 2))
    pairs = {(random.randint(1, farm - 1), farm) for farm in range(2, n + 1)}
    while len(pairs) < m:
        pairs.add(tuple(sorted(random.sample(range(1, n + 1), 2))))
    costs = random.sample(range(1, 3 * m), m)
    offers = [[*random.sample(pair, 2), cost] for pair, cost in zip(sorted(pairs), costs)]
    random.shuffle(offers)
    lines = "".join(f"{a} {b} {c}\n" for a, b, c in offers)
    return f"{n} {m}\n{lines}", {"n": n, "m": m, "offers": offers}
