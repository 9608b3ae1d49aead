import random
import string


def generate_testcase(params):
    n, k_max = params["n"], params["k_max"]
    k = random.randint(2, k_max)
    letters = string.ascii_lowercase if n <= 26 else string.ascii_letters
    children = "".join(random.sample(letters, n))
    return f"{n} {k}\n{children}\n", {"n": n, "k": k, "children": children}
