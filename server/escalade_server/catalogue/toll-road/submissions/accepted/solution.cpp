// cost[i] = toll[i] + the cheapest cost among the k stations before it.
#include <algorithm>
#include <iostream>
#include <vector>

int main() {
    int n, k;
    std::cin >> n >> k;
    std::vector<long long> cost(n);
    for (int i = 0; i < n; ++i) {
        std::cin >> cost[i];
        if (i > 0) {
            cost[i] += *std::min_element(cost.begin() + std::max(0, i - k), cost.begin() + i);
        }
    }
    std::cout << cost[n - 1] << "\n";
}
