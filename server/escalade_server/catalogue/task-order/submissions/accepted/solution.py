# Depth-first search: a task is written down once all that must come after it are; then read backwards.
import sys

sys.setrecursionlimit(10_000)
n, m = map(int, input().split())
after = {task: [] for task in range(1, n + 1)}
for _ in range(m):
    a, b = map(int, input().split())
    after[a].append(b)
written, seen = [], set()


def visit(task):
    seen.add(task)
    for later in after[task]:
        if later not in seen:
            visit(later)
    written.append(task)


for task in after:
    if task not in seen:
        visit(task)
print(*reversed(written))
