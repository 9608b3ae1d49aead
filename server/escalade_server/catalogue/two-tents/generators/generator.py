import random


def generate_testcase(params):
    n, m = params["n"], params["m"]
    peaceful = random.random() < 0.5
    while True:
        # A random tree puts every scout in a tent; further quarrels go across, and one of them inside a tent if wanted.
        tent = {1: 0}
        pairs = set()
        for scout in range(2, n + 1):
            other = random.randint(max(1, scout - 4), scout - 1)
            tent[scout] = 1 - tent[other]
            pairs.add((other, scout))
        across = [(a, b) for a in tent for b in tent if a < b and tent[a] != tent[b] and (a, b) not in pairs]
        inside = [(a, b) for a in tent for b in tent if a < b and tent[a] == tent[b]]
        if not across or not inside:
            continue
        more = max(1, min(m - len(pairs), len(across)))
        pairs.update(random.sample(across, more if peaceful else more - 1))
        if not peaceful:
            pairs.add(random.choice(inside))
        m = len(pairs)
        break
    names = list(range(1, n + 1))
    random.shuffle(names)
    quarrels = [random.sample((names[a - 1], names[b - 1]), 2) for a, b in sorted(pairs)]
    random.shuffle(quarrels)
    lines = "".join(f"{a} {b}\n" for a, b in quarrels)
    return f"{n} {m}\n{lines}", {"n": n, "m": m, "quarrels": quarrels}
