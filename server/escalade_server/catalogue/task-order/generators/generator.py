import random


def generate_testcase(params):
    n, m = params["n"], params["m"]
    m = min(m, n * (n - 1) // 2)
    hidden = list(range(1, n + 1))
    random.shuffle(hidden)
    pairs = set()
    while len(pairs) < m:
        first, second = sorted(random.sample(range(n), 2))
        pairs.add((hidden[first], hidden[second]))
    rules = sorted(pairs)
    random.shuffle(rules)
    rules = [list(rule) for rule in rules]
    lines = "".join(f"{a} {b}\n" for a, b in rules)
    return f"{n} {m}\n{lines}", {"n": n, "m": m, "rules": rules}
