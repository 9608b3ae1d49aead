import random


def generate_testcase(params):
    n, latest = params["n"], params["t"]
    t = random.randint(latest * 2 // 3, latest)
    every = random.sample(range(2, 8 + 3 * n), n)
    return f"{n} {t}\n{' '.join(map(str, every))}\n", {"n": n, "t": t, "every": every}
