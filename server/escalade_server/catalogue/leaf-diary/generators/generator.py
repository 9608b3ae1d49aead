import random


def generate_testcase(params):
    n = params["n"]
    busy = random.sample(range(1, n + 1), max(2, n // 2))
    diary = [random.choice(busy) if n > 7 and random.random() < 0.5 else random.randint(1, n) for _ in range(n - 2)]
    return f"{n}\n{' '.join(map(str, diary))}\n", {"n": n, "diary": diary}
