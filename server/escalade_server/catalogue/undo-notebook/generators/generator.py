import random


def generate_testcase(params):
    q = params["q"]
    while True:
        actions, texts, at = [], [""], 0
        for _ in range(q):
            possible = ["type", "type", "type"]
            possible += ["erase"] * 2 * (len(texts[at]) > 1)
            possible += ["undo"] * 3 * (at > 0)
            possible += ["redo"] * 4 * (at + 1 < len(texts))
            action = random.choice(possible)
            if action in ("type", "erase"):
                del texts[at + 1 :]
                if action == "type":
                    word = "".join(random.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(random.randint(1, 4)))
                    texts.append(texts[at] + word)
                    actions.append(f"type {word}")
                else:
                    letters = random.randint(1, min(4, len(texts[at])))
                    texts.append(texts[at][:-letters])
                    actions.append(f"erase {letters}")
                at += 1
            else:
                at += 1 if action == "redo" else -1
                actions.append(action)
        if texts[at] and any(action in ("undo", "redo") or action[0] == "e" for action in actions):
            break
    lines = "".join(f"{action}\n" for action in actions)
    return f"{q}\n{lines}", {"actions": actions}
