# Wrong: compares each card only with the next one, the last with the first.
n, m = map(int, input().split())
cost = list(map(int, input().split()))
cards = [input().strip() for _ in range(n)]
print(sum(one for a, b in zip(cards, cards[1:] + cards[:1]) for one, p, q in zip(cost, a, b) if p != q))
