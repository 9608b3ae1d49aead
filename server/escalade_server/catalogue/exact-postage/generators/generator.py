import random


def generate_testcase(params):
    n, highest = min(params["n"], params["highest"] - 1), params["highest"]
    values = random.sample(range(2, highest + 1), n)
    used = 2 + n // 2
    total = sum(random.choice(values) for _ in range(random.randint(used, 2 * used)))
    return f"{n} {total}\n{' '.join(map(str, values))}\n", {"n": n, "total": total, "values": values}
