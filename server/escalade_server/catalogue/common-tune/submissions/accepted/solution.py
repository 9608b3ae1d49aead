# For each length, the common tune that ends earliest in `bo`; notes of `ada` are taken in one at a time.
ada, bo = input().strip(), input().strip()
best = [(-1, "")]
for note in ada:
    for length in range(len(best) - 1, -1, -1):
        end, tune = best[length]
        found = bo.find(note, end + 1)
        if found < 0:
            continue
        if length + 1 == len(best):
            best.append((found, tune + note))
        elif found < best[length + 1][0]:
            best[length + 1] = (found, tune + note)
print(best[-1][1])
