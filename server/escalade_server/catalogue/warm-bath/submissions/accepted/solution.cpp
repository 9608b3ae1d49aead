// Litres and degrees of each jug, pouring by pouring.
#include <cstdio>
#include <iostream>
#include <vector>

int main() {
    int n, q;
    std::cin >> n >> q;
    std::vector<double> litres(n + 1), degrees(n + 1);
    for (int jug = 1; jug <= n; ++jug) std::cin >> litres[jug] >> degrees[jug];
    while (q-- > 0) {
        int a, b;
        double x;
        std::cin >> a >> b >> x;
        degrees[b] = (litres[b] * degrees[b] + x * degrees[a]) / (litres[b] + x);
        litres[b] += x;
        litres[a] -= x;
    }
    std::printf("%.9f\n", degrees[1]);
}
