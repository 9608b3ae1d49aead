# Wrong: lets the children behind buy in the last round as well.
n = int(input())
need = list(map(int, input().split()))
print(*(sum(min(tickets, rounds) for tickets in need) for rounds in need))
