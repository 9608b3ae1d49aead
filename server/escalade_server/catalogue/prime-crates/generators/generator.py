import random


def generate_testcase(params):
    largest = params["largest"]
    # Products of a few random factors: numbers with large prime factors and with many small ones both occur.
    while True:
        n = 1
        for _ in range(random.randint(2, 4)):
            n *= random.randint(2, max(3, int(largest**0.5)) if largest > 500 else largest // 4)
        if largest // 5 < n <= largest:
            return f"{n}\n", {"n": n}
