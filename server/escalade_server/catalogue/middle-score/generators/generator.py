import random


def generate_testcase(params):
    n, highest = params["n"], params["highest"]
    score = [random.randint(1, highest) for _ in range(n)]
    return f"{n}\n{' '.join(map(str, score))}\n", {"n": n, "score": score}
