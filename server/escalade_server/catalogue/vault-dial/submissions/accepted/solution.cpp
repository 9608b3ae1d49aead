// Click by click.
#include <iostream>

int main() {
    long long m, x, a, b, k;
    std::cin >> m >> x >> a >> b >> k;
    while (k-- > 0) x = (a * x + b) % m;
    std::cout << x << "\n";
}
