// The lead that the player in turn can get on every stretch of the row, from short stretches to long ones.
#include <algorithm>
#include <iostream>
#include <numeric>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<int> coins(n);
    for (int& coin : coins) std::cin >> coin;
    std::vector<int> lead(coins);
    for (int length = 2; length <= n; ++length) {
        for (int left = 0; left + length <= n; ++left) {
            lead[left] = std::max(coins[left] - lead[left + 1], coins[left + length - 1] - lead[left]);
        }
    }
    std::cout << (std::accumulate(coins.begin(), coins.end(), 0) + lead[0]) / 2 << "\n";
}
