import random


def generate_testcase(params):
    n, street = params["n"], params["street"]
    longest = max(4, 3 * street // (n + 1))
    lamps = []
    for _ in range(n):
        length = random.randint(2, longest)
        left = random.randint(0, street - length)
        lamps.append([left, left + length])
    lines = "".join(f"{left} {right}\n" for left, right in lamps)
    return f"{n}\n{lines}", {"n": n, "lamps": lamps}
