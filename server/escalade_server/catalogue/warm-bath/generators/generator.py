import random


def generate_testcase(params):
    n, q = params["n"], params["q"]
    while True:
        jugs = [[random.randint(2, 9), random.randrange(10, 91, 10)] for _ in range(n)]
        litres = [held for held, _ in jugs]
        pourings = []
        # Jug 1 must be told by the others: every jug can lie on the way to it, and the last pouring goes into it.
        while len(pourings) < q:
            b = 1 if len(pourings) == q - 1 else random.randint(1, n)
            a = random.choice([jug for jug in range(1, n + 1) if jug != b])
            if litres[a - 1] == 0:
                break
            x = random.randint(1, litres[a - 1])
            litres[a - 1] -= x
            litres[b - 1] += x
            pourings.append([a, b, x])
        if len(pourings) == q and litres[0] > 0:
            break
    lines = "".join(f"{held} {degrees}\n" for held, degrees in jugs) + "".join(f"{a} {b} {x}\n" for a, b, x in pourings)
    return f"{n} {q}\n{lines}", {"n": n, "q": q, "jugs": jugs, "pourings": pourings}
