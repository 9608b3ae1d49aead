# Sorts the letters as the teacher does.
print(sorted(input().strip())[-1])
