import random
import string


def generate_testcase(params):
    n = params["n"]
    while True:
        children = random.sample(string.ascii_lowercase, 4)
        votes = "".join(random.choice(children) for _ in range(n))
        counts = sorted((votes.count(child) for child in children), reverse=True)
        if counts[0] > counts[1]:
            break
    return f"{votes}\n", {"votes": votes}
