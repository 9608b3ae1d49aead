# Wrong: from crossing 1 or the first one with a street, always drives on to the smallest crossing.
n, m = map(int, input().split())
near = {crossing: set() for crossing in range(1, n + 1)}
for _ in range(m):
    a, b = map(int, input().split())
    near[a].add(b)
    near[b].add(a)
at = min(crossing for crossing in near if near[crossing])
drive = [at]
while near[at]:
    to = min(near[at])
    near[at].discard(to)
    near[to].discard(at)
    at = to
    drive.append(at)
print(*drive)
