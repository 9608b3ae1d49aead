import random


def generate_testcase(params):
    n, points = params["n"], params["points"]
    # Few different values, so that both kinds of ties occur.
    results = [[random.randint(1, points), random.choice((0, 5, 10))] for _ in range(n)]
    lines = "".join(f"{gained} {penalty}\n" for gained, penalty in results)
    return f"{n}\n{lines}", {"n": n, "results": results}
