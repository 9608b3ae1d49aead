// Sort by the left end and sweep, keeping the furthest right end seen.
#include <algorithm>
#include <iostream>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<std::pair<int, int>> lamps(n);
    for (auto& [left, right] : lamps) std::cin >> left >> right;
    std::sort(lamps.begin(), lamps.end());
    int lit = 0, reach = 0;
    for (auto [left, right] : lamps) {
        if (right > reach) {
            lit += right - std::max(left, reach);
            reach = right;
        }
    }
    std::cout << lit << "\n";
}
