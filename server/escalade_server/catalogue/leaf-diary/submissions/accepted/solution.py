# The leaf cut in a step is the smallest number that is neither cut already nor written in the rest of the diary.
n = int(input())
diary = list(map(int, input().split()))
left = set(range(1, n + 1))
for step, knot in enumerate(diary):
    leaf = min(left.difference(diary[step:]))
    left.remove(leaf)
    print(knot, leaf)
print(*sorted(left))
