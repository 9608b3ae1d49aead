# Wrong: takes the letter after the latest one that is there.
print(chr(ord(max(input().strip())) + 1))
