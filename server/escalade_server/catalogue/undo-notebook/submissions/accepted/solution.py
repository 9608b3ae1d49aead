# First finds out which actions are in effect in the end; only those are carried out.
actions = [input().split() for _ in range(int(input()))]
effective, count = [], 0
for action in actions:
    if action[0] == "undo":
        count -= 1
    elif action[0] == "redo":
        count += 1
    else:
        effective[count:] = [action]
        count += 1
text = ""
for kind, argument in effective[:count]:
    text = text + argument if kind == "type" else text[: -int(argument)]
print(text)
