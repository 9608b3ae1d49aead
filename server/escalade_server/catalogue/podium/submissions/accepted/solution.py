# No sorting: a runner's place is the number of runners who are before it.
n = int(input())
results = [tuple(map(int, input().split())) for _ in range(n)]
placed = [0] * n
for number, (points, penalty) in enumerate(results, start=1):
    place = 0
    for other, (more, less) in enumerate(results, start=1):
        if more != points:
            place += more > points
        elif less != penalty:
            place += less < penalty
        else:
            place += other > number
    placed[place] = number
print(*placed)
