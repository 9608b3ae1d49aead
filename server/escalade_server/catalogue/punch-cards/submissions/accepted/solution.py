# Compares all pairs as binary numbers by exclusive or.
n, m = map(int, input().split())
cost = list(map(int, input().split()))
cards = [int(input(), 2) for _ in range(n)]
total = 0
for i, card in enumerate(cards):
    for other in cards[:i]:
        different = card ^ other
        while different:
            place = m - different.bit_length()
            total += cost[place]
            different ^= 1 << (m - 1 - place)
print(total)
