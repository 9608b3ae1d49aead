import random


def generate_testcase(params):
    n, m = params["n"], params["m"]
    cost = [random.randint(1, 9 if n < 8 else 50) for _ in range(m)]
    chance = [random.choice((0.3, 0.5, 0.7)) for _ in range(m)]
    cards = ["".join("1" if random.random() < share else "0" for share in chance) for _ in range(n)]
    lines = "".join(f"{card}\n" for card in cards)
    return f"{n} {m}\n{' '.join(map(str, cost))}\n{lines}", {"n": n, "m": m, "cost": cost, "cards": cards}
