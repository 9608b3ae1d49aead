# In the sorted row the twins lie side by side.
row = sorted(input().strip())
print(next(one for one, other in zip(row, row[1:]) if one == other))
