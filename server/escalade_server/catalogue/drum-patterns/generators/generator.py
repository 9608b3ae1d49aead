import random


def generate_testcase(params):
    n, k_max = params["n"], params["k_max"]
    k = random.randint(2 if k_max < 100 else k_max // 10, k_max)
    return f"{n} {k}\n", {"n": n, "k": k}
