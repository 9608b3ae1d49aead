// Kruskal's algorithm: cheapest offers first, unless both farms are linked already.
#include <algorithm>
#include <functional>
#include <iostream>
#include <numeric>
#include <tuple>
#include <vector>

int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<std::tuple<int, int, int>> offers(m);
    for (auto& [cost, a, b] : offers) std::cin >> a >> b >> cost;
    std::sort(offers.begin(), offers.end());
    std::vector<int> leader(n + 1);
    std::iota(leader.begin(), leader.end(), 0);
    std::function<int(int)> find = [&](int farm) {
        return leader[farm] == farm ? farm : leader[farm] = find(leader[farm]);
    };
    for (auto [cost, a, b] : offers) {
        if (find(a) != find(b)) {
            leader[find(a)] = find(b);
            std::cout << a << " " << b << " " << cost << "\n";
        }
    }
}
