# Wrong: a redo only repeats the action that comes before the undo in the list, and undo never takes back more than once.
actions = [input().split() for _ in range(int(input()))]
text = before = ""
for action in actions:
    if action[0] in ("undo", "redo"):
        text, before = before, text
    else:
        before = text
        text = text + action[1] if action[0] == "type" else text[: -int(action[1])]
print(text)
