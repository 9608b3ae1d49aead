import random
import string


def generate_testcase(params):
    letters = list(string.ascii_lowercase[: params["n"]])
    random.shuffle(letters)
    tiles = "".join(letters[1:])
    return f"{tiles}\n", {"tiles": tiles}
