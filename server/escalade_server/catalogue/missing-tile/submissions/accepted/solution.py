# Goes through the alphabet until a letter is not there.
tiles = input().strip()
letter = "a"
while letter in tiles:
    letter = chr(ord(letter) + 1)
print(letter)
