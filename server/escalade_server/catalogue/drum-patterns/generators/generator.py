import random
from math import factorial


def generate_testcase(params):
    n = params["n"]
    k_max = min(params["k_max"], factorial(n))
    k = random.randint(2 if k_max < 100 else k_max // 10, k_max)
    return f"{n} {k}\n", {"n": n, "k": k}
