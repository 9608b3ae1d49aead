import random
import string


def generate_testcase(params):
    line = "".join(random.sample(string.ascii_lowercase, params["n"]))
    child = random.choice(line[:-1])
    return f"{line}\n{child}\n", {"line": line, "child": child}
