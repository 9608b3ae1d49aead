import random
import string


def generate_testcase(params):
    n, q = params["n"], params["q"]
    letters = string.ascii_lowercase if n <= 26 else string.ascii_letters
    start = "".join(random.sample(letters, n))
    steps = []
    for _ in range(q):
        kind = random.choice(("turn", "turn", "swap", "shift"))
        if kind == "shift":
            steps.append(f"shift {random.randint(1, n - 1)}")
        else:
            i, j = sorted(random.sample(range(1, n + 1), 2))
            steps.append(f"{kind} {i} {j}")
    lines = "".join(f"{step}\n" for step in steps)
    return f"{start}\n{q}\n{lines}", {"n": n, "start": start, "steps": steps}
