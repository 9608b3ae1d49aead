import random


def generate_testcase(params):
    n = params["n"]
    colour = random.choice("abc")
    others = [other for other in "abc" if other != colour]
    # Every number of beads is as likely, so that a middling guess is seldom right.
    count = random.randint(0, n)
    beads = [colour] * count + [random.choice(others) for _ in range(n - count)]
    random.shuffle(beads)
    chain = "".join(beads)
    return f"{colour}\n{chain}\n", {"colour": colour, "chain": chain}
