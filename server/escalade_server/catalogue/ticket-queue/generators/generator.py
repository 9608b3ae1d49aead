import random


def generate_testcase(params):
    n, most = params["n"], params["most"]
    need = [random.randint(1, most) for _ in range(n)]
    return f"{n}\n{' '.join(map(str, need))}\n", {"n": n, "need": need}
