# Rewrites an innermost bracket again and again until none is left.
import re

pattern = input().strip()
while "(" in pattern:
    pattern = re.sub(r"(\d+)\(([a-z]+)\)", lambda found: int(found[1]) * found[2], pattern)
print(pattern)
