# Meet in the middle: the teams' differences that the first and the second half of the children can make.
n = int(input())
strength = list(map(int, input().split()))


def differences(children):
    made = {0: []}
    for child in children:
        following = {}
        for difference, team in made.items():
            following.setdefault(difference + strength[child], [*team, child + 1])
            following.setdefault(difference - strength[child], team)
        made = following
    return made


first, second = differences(range(n // 2)), differences(range(n // 2, n))
difference = min(difference for difference in first if -difference in second)
print(*first[difference], *second[-difference])
