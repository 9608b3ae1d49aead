import random


def generate_testcase(params):
    n, parts = params["n"], params["parts"]
    rest = []
    for _ in range(n):
        b = random.randint(2, parts)
        rest.append([random.randint(1, b - 1), b])
    lines = "".join(f"{a} {b}\n" for a, b in rest)
    return f"{n}\n{lines}", {"n": n, "rest": rest}
