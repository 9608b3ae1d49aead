import random
from math import gcd


def generate_testcase(params):
    n, longest = params["n"], params["longest"]
    together = random.random() < 0.5
    while True:
        periods = [random.randint(2, longest) for _ in range(n)]
        shared = [(i, j) for i in range(n) for j in range(i) if gcd(periods[i], periods[j]) > 1]
        if not shared:
            continue
        second = random.randint(0, 10**6)
        lights = [[second % period, period] for period in periods]
        if not together:
            # Spoil it at one lighthouse only, so that most pairs still meet.
            spoilt, _ = random.choice(shared)
            lights[spoilt][0] = random.randrange(periods[spoilt])
        meet = all((lights[i][0] - lights[j][0]) % gcd(periods[i], periods[j]) == 0 for i, j in shared)
        if meet == together:
            break
    lines = "".join(f"{start} {period}\n" for start, period in lights)
    return f"{n}\n{lines}", {"n": n, "lights": lights}
