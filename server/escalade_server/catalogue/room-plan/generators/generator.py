import random


def generate_testcase(params):
    n, hours = params["n"], params["hours"]
    longest = max(3, 4 * hours // (n + 2))
    wishes = []
    for _ in range(n):
        length = random.randint(1, longest)
        start = random.randint(0, hours - length)
        wishes.append([start, start + length])
    lines = "".join(f"{start} {end}\n" for start, end in wishes)
    return f"{n}\n{lines}", {"n": n, "wishes": wishes}
