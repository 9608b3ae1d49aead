import random
from functools import reduce
from operator import xor


def generate_testcase(params):
    n, highest = params["n"], params["highest"]
    while True:
        piles = [random.randint(1, highest) for _ in range(n)]
        if reduce(xor, piles):
            return f"{n}\n{' '.join(map(str, piles))}\n", {"n": n, "piles": piles}
