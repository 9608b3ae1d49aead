import random
import string


def generate_testcase(params):
    n = params["n"]
    # The last possible letter varies, else nearly every large class would have a child with z.
    letters = string.ascii_lowercase[: random.randint(2, 26)]
    initials = "".join(random.choice(letters) for _ in range(n))
    return f"{initials}\n", {"initials": initials}
