# Walks along the fence post by post (gift wrapping) and adds up triangles seen from the first post.
n = int(input())
posts = [tuple(map(int, input().split())) for _ in range(n)]


def turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def square(a, b):
    return (b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2


first = at = min(posts)
twice = 0
while True:
    best = posts[0] if posts[0] != at else posts[1]
    for post in posts:
        side = turn(at, best, post)
        if post != at and (side < 0 or (side == 0 and square(at, post) > square(at, best))):
            best = post
    twice += abs(turn(first, at, best))
    at = best
    if at == first:
        break
print(twice / 2)
