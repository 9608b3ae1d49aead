# Breadth-first search over the amounts still missing: one stamp is one step.
n, total = map(int, input().split())
values = sorted(map(int, input().split()), reverse=True)
stamp_to = {total: 0}
ring = [total]
while 0 not in stamp_to:
    following = []
    for missing in ring:
        for value in values:
            if value <= missing and missing - value not in stamp_to:
                stamp_to[missing - value] = value
                following.append(missing - value)
    ring = following
stamps, missing = [], 0
while missing != total:
    stamps.append(stamp_to[missing])
    missing += stamp_to[missing]
print(*stamps)
