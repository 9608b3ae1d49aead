import random


def generate_testcase(params):
    n, longest = params["n"], params["longest"]
    names = list(range(1, n + 1))
    random.shuffle(names)
    # Parents near the child make long caves, far ones bushy caves.
    reach = random.choice((1, 2, 4, n))
    tunnels = []
    for child in range(1, n):
        parent = random.randint(max(0, child - reach), child - 1)
        ends = random.sample((names[parent], names[child]), 2)
        tunnels.append([*ends, random.randint(1, longest)])
    random.shuffle(tunnels)
    lines = "".join(f"{a} {b} {d}\n" for a, b, d in tunnels)
    return f"{n}\n{lines}", {"n": n, "tunnels": tunnels}
