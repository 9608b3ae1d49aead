import random


def generate_testcase(params):
    n, side = params["n"], params["side"]
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
