import random


def generate_testcase(params):
    side = params["side"]
    n = min(params["n"], (side + 1) ** 2)
    while True:
        places = set()
        while len(places) < n:
            places.add((random.randint(0, side), random.randint(0, side)))
        posts = sorted(places)
        random.shuffle(posts)
        (ax, ay), (bx, by), *rest = posts
        if any((bx - ax) * (y - ay) != (by - ay) * (x - ax) for x, y in rest):
            break
    lines = "".join(f"{x} {y}\n" for x, y in posts)
    return f"{n}\n{lines}", {"n": n, "posts": [list(post) for post in posts]}
