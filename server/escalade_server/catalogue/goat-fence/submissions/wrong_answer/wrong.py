# Wrong: fences in the rectangle between the outermost posts.
n = int(input())
posts = [tuple(map(int, input().split())) for _ in range(n)]
width, height = (max(axis) - min(axis) for axis in zip(*posts))
print(float(width * height))
