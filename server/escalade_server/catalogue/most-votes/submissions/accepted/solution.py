# Sorts the ballots, and takes the longest run of one letter.
votes = sorted(input().strip())
winner, most, first = "", 0, 0
for place in range(1, len(votes) + 1):
    if place == len(votes) or votes[place] != votes[first]:
        if place - first > most:
            winner, most = votes[first], place - first
        first = place
print(winner)
