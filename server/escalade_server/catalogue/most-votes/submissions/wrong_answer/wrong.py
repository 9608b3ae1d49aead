# Wrong: takes the letter of the first ballot.
print(input().strip()[0])
