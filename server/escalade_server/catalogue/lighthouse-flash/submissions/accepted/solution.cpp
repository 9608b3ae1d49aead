// All meet if and only if every two meet, which their periods' common divisor decides.
#include <iostream>
#include <numeric>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<int> start(n), period(n);
    bool together = true;
    for (int i = 0; i < n; ++i) {
        std::cin >> start[i] >> period[i];
        for (int j = 0; j < i; ++j) {
            if ((start[i] - start[j]) % std::gcd(period[i], period[j]) != 0) together = false;
        }
    }
    std::cout << (together ? "YES" : "NO") << "\n";
}
