import random


def generate_testcase(params):
    n = params["n"]
    k = min(params["k"], n - 1)
    # Large stations now and then make a greedy driver regret where the van stopped.
    highest = 9 if n <= 6 else 99
    toll = [random.randint(1, highest) if random.random() < 0.7 else random.randint(highest // 2, highest) for _ in range(n)]
    return f"{n} {k}\n{' '.join(map(str, toll))}\n", {"n": n, "k": k, "toll": toll}
