# Looks the child's place up, and goes one place further.
line = input().strip()
print(line[line.index(input().strip()) + 1])
