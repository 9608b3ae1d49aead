import random


def generate_testcase(params):
    n, t = params["n"], params["t"]
    while True:
        wall = [[int(random.random() < 0.4) for _ in range(n)] for _ in range(n)]
        if any(map(any, wall)):
            break
    lines = "".join(" ".join(map(str, row)) + "\n" for row in wall)
    return f"{n} {t}\n{lines}", {"n": n, "t": t, "wall": wall}
