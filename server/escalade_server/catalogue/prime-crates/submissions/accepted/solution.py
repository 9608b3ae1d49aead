# Splits the number in two by Pollard's rho method until all parts pass a primality test.
from math import gcd


def is_prime(n):
    if n < 4:
        return n > 1
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    # These bases decide for every number below 3,000,000,000.
    for base in (2, 3, 5, 7):
        if base % n == 0:
            continue
        power = pow(base, odd, n)
        if power not in (1, n - 1) and not any((power := power * power % n) == n - 1 for _ in range(twos - 1)):
            return False
    return True


def split(n):
    if n % 2 == 0:
        return 2
    for shift in range(1, n):
        slow = fast = 2
        divisor = 1
        while divisor == 1:
            slow = (slow * slow + shift) % n
            fast = (fast * fast + shift) % n
            fast = (fast * fast + shift) % n
            divisor = gcd(slow - fast, n)
        if divisor != n:
            return divisor
    raise AssertionError("a composite number has a divisor")


def factors(n):
    if n == 1:
        return []
    if is_prime(n):
        return [n]
    part = split(n)
    return factors(part) + factors(n // part)


print(*sorted(factors(int(input())), reverse=True))
