# Fleury's rule: never drive into a street whose loss would cut off streets that are still to be swept.
n, m = map(int, input().split())
near = {crossing: set() for crossing in range(1, n + 1)}
for _ in range(m):
    a, b = map(int, input().split())
    near[a].add(b)
    near[b].add(a)


def in_reach(start):
    seen, pending = {start}, [start]
    while pending:
        for crossing in near[pending.pop()] - seen:
            seen.add(crossing)
            pending.append(crossing)
    return seen


odd = [crossing for crossing in near if len(near[crossing]) % 2]
at = odd[0] if odd else max(near, key=lambda crossing: len(near[crossing]))
drive = [at]
while near[at]:
    for to in sorted(near[at]):
        near[at].discard(to)
        near[to].discard(at)
        if not near[at] or to in in_reach(at):
            break
        near[at].add(to)
        near[to].add(at)
    at = to
    drive.append(at)
print(*drive)
