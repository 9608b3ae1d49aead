# Until child i leaves in its round need[i], those before it have bought in that round too, those behind it have not.
n = int(input())
need = list(map(int, input().split()))
leaves = []
for child, rounds in enumerate(need):
    before = sum(min(tickets, rounds) for tickets in need[: child + 1])
    behind = sum(min(tickets, rounds - 1) for tickets in need[child + 1 :])
    leaves.append(before + behind)
print(*leaves)
