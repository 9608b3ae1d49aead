import random


def generate_testcase(params):
    n, k = params["n"], params["k"]
    most = 4 if n <= 12 else 3
    limit = 10**9
    while True:
        lengths = sorted(random.sample(range(1, 3 + k if n < 14 else 6 + k // 2), k))
        slabs = [[length, random.randint(1, most)] for length in lengths]
        ways = [1]
        for foot in range(1, n + 1):
            ways.append(sum(colours * ways[foot - length] for length, colours in slabs if length <= foot))
        if 2 <= ways[n] < limit:
            break
        # Some long paths have no small answer.
        limit = min(10**16, limit * 2)
    random.shuffle(slabs)
    lines = "".join(f"{length} {colours}\n" for length, colours in slabs)
    return f"{n} {k}\n{lines}", {"n": n, "k": k, "slabs": slabs}
