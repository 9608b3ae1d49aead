import random


def generate_testcase(params):
    p, q, highest = params["p"], params["q"], params["highest"]
    wanted = random.random() < 0.5
    while True:
        moves = sorted(random.sample(range(1, 4 + 2 * q - 2 * (q == 2)), q))
        heaps = [random.randint(highest // 3 + 1, highest) for _ in range(p)]
        value = [0] * (highest + 1)
        for size in range(highest + 1):
            left = {value[size - move] for move in moves if move <= size}
            value[size] = next(number for number in range(q + 1) if number not in left)
        balance = 0
        for size in heaps:
            balance ^= value[size]
        if (balance != 0) == wanted:
            break
    text = f"{p} {q}\n{' '.join(map(str, heaps))}\n{' '.join(map(str, moves))}\n"
    return text, {"p": p, "q": q, "heaps": heaps, "moves": moves}
