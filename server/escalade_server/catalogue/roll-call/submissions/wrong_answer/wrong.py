# Wrong: takes the child that sits last.
print(input().strip()[-1])
