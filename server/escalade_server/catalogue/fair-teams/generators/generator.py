import random


def generate_testcase(params):
    n, highest = params["n"], params["highest"]
    while True:
        strength = [random.randint(1, highest) for _ in range(n - 1)]
        side = [random.choice((1, -1)) for _ in strength]
        missing = abs(sum(s * t for s, t in zip(side, strength)))
        if 1 <= missing <= highest:
            break
    strength.append(missing)
    random.shuffle(strength)
    return f"{n}\n{' '.join(map(str, strength))}\n", {"n": n, "strength": strength}
