# Wrong: from the strongest to the weakest, each child joins the team that is weaker so far.
n = int(input())
strength = list(map(int, input().split()))
teams, sums = ([], []), [0, 0]
for child in sorted(range(n), key=lambda i: -strength[i]):
    weaker = int(sums[1] < sums[0])
    teams[weaker].append(child + 1)
    sums[weaker] += strength[child]
print(*teams[0])
