// One comparison sort.
#include <algorithm>
#include <iostream>
#include <tuple>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<std::tuple<int, int, int>> runners;
    for (int number = 1; number <= n; ++number) {
        int points, penalty;
        std::cin >> points >> penalty;
        runners.push_back({-points, penalty, -number});
    }
    std::sort(runners.begin(), runners.end());
    for (int i = 0; i < n; ++i) std::cout << -std::get<2>(runners[i]) << (i + 1 < n ? " " : "\n");
}
