# Wrong: counts how many times the largest move fits in, and says that an odd number of turns is good for Alice.
p, q = map(int, input().split())
heaps = list(map(int, input().split()))
moves = list(map(int, input().split()))
turns = sum(-(-size // moves[-1]) for size in heaps)
print("Alice" if turns % 2 else "Bob")
