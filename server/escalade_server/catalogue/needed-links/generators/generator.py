import random


def generate_testcase(params):
    n, m = params["n"], params["m"]
    m = min(m, n * (n - 1) // 2)
    names = list(range(1, n + 1))
    random.shuffle(names)
    pairs = set()
    while len(pairs) < m:
        first = random.randrange(n - 1)
        second = min(n - 1, first + random.choice((1, 1, 2, 2, 3, 4, n // 2)))
        pairs.add((first, second))
        if random.random() < 0.1:
            pairs.add(tuple(sorted(random.sample(range(n), 2))))
    links = [[names[first], names[second]] for first, second in sorted(pairs)]
    random.shuffle(links)
    links = links[:m]
    lines = "".join(f"{a} {b}\n" for a, b in links)
    return f"{n} {m}\n{lines}", {"n": n, "m": m, "links": links}
