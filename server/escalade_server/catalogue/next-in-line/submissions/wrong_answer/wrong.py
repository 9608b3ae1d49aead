# Wrong: looks to the front; the first child sees the last.
line = input().strip()
print(line[line.index(input().strip()) - 1])
