# Cuts the chain at the beads of the colour: there is one piece more than there are cuts.
colour = input().strip()
print(len(input().strip().split(colour)) - 1)
