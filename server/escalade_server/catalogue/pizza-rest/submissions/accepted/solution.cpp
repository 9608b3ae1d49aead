// Adds one fraction at a time and shortens; numbers up to 40 have a common multiple of 16 digits.
#include <iostream>
#include <numeric>

int main() {
    int n;
    std::cin >> n;
    __int128 p = 0, q = 1;
    while (n-- > 0) {
        long long a, b;
        std::cin >> a >> b;
        p = p * b + q * a;
        q *= b;
        __int128 x = p, y = q;
        while (y != 0) {
            __int128 rest = x % y;
            x = y;
            y = rest;
        }
        p /= x;
        q /= x;
    }
    std::cout << static_cast<long long>(p) << " " << static_cast<long long>(q) << "\n";
}
