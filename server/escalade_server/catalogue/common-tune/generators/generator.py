import random


def generate_testcase(params):
    n, notes = params["n"], params["notes"]
    alphabet = "CDEFGABHKLMN"[:notes]
    while True:
        ada = "".join(random.choice(alphabet) for _ in range(n))
        bo = "".join(random.choice(alphabet) for _ in range(n))
        if set(ada) & set(bo) and ada != bo:
            return f"{ada}\n{bo}\n", {"ada": ada, "bo": bo}
