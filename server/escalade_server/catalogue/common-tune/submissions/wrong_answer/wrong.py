# Wrong: takes every note of `ada` that still comes in the rest of `bo`.
ada, bo = input().strip(), input().strip()
tune, at = "", 0
for note in ada:
    found = bo.find(note, at)
    if found >= 0:
        tune, at = tune + note, found + 1
print(tune)
