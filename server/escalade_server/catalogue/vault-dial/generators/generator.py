import random


def generate_testcase(params):
    largest, k = params["largest"], params["k"]
    # A multiplier without a common factor with m, and not a power of one: else the dial soon goes around a short ring.
    while True:
        m = random.randint(largest * 2 // 3, largest)
        x, a, b = random.randint(1, m - 1), random.randint(2, m - 2), random.randint(1, m - 1)
        if m < 60:
            a = random.randint(2, 9)
        seen, mark = set(), x
        while mark not in seen and len(seen) <= min(k, 12):
            seen.add(mark)
            mark = (a * mark + b) % m
        if len(seen) > min(k, 12):
            break
    return f"{m} {x} {a} {b} {k}\n", {"m": m, "x": x, "a": a, "b": b, "k": k}
