import random


def generate_testcase(params):
    n, heaviest = params["n"], params["heaviest"]
    weight = [random.randint(1, heaviest) for _ in range(n)]
    return f"{n}\n{' '.join(map(str, weight))}\n", {"n": n, "weight": weight}
