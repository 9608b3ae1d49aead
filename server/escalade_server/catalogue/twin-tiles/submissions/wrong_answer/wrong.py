# Wrong: looks for twins only side by side, and takes the first tile where there are none.
row = input().strip()
print(next((one for one, other in zip(row, row[1:]) if one == other), row[0]))
