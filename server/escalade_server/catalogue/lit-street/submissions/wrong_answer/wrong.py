# Wrong: takes off only the overlap of lamps that follow each other in the input's order by left end.
n = int(input())
lamps = sorted(tuple(map(int, input().split())) for _ in range(n))
lit = sum(right - left for left, right in lamps)
for (_, before), (left, _) in zip(lamps, lamps[1:]):
    lit -= max(0, before - left)
print(lit)
