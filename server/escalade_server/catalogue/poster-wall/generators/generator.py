import random


def generate_testcase(params):
    n, side = params["n"], params["side"]
    posters = []
    for _ in range(n):
        wide = random.randint(2, max(3, side * 2 // (2 + n // 4)))
        high = random.randint(2, max(3, side * 2 // (2 + n // 4)))
        wide, high = min(wide, side - 1), min(high, side - 1)
        x1, y1 = random.randint(0, side - wide), random.randint(0, side - high)
        posters.append([x1, y1, x1 + wide, y1 + high])
    lines = "".join(" ".join(map(str, poster)) + "\n" for poster in posters)
    return f"{n}\n{lines}", {"n": n, "posters": posters}
