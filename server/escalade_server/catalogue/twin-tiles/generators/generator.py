import random
import string


def generate_testcase(params):
    row = random.sample(string.ascii_lowercase, params["n"] - 1)
    row.insert(random.randrange(len(row) + 1), random.choice(row))
    tiles = "".join(row)
    return f"{tiles}\n", {"tiles": tiles}
