# Wrong: counts beads of the colour that hang side by side as one.
colour = input().strip()
print(sum(1 for piece in "".join(bead if bead == colour else " " for bead in input().strip()).split()))
