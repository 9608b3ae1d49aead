import random


def generate_testcase(params):
    n = params["n"]
    m = min(params["m"], 2**n - 1)
    while True:
        masks = random.sample(range(1, 2**n), m)
        goal = 0
        for mask in random.sample(masks, random.randint(1 + (n > 4), 1 + m // 2)):
            goal ^= mask
        if goal:
            break
    switches = [format(mask, f"0{n}b") for mask in masks]
    goal = format(goal, f"0{n}b")
    lines = "".join(f"{word}\n" for word in switches)
    return f"{n} {m}\n{lines}{goal}\n", {"n": n, "m": m, "switches": switches, "goal": goal}
