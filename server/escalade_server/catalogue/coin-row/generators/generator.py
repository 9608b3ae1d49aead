import random


def generate_testcase(params):
    n, highest = params["n"], params["highest"]
    coins = [random.randint(1, highest) if random.random() < 0.6 else random.randint(1, highest // 4) for _ in range(n)]
    return f"{n}\n{' '.join(map(str, coins))}\n", {"n": n, "coins": coins}
