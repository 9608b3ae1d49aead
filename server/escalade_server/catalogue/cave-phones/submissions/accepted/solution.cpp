// A tunnel carries one wire for every pair of chambers that it separates.
#include <functional>
#include <iostream>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<std::vector<std::pair<int, int>>> near(n + 1);
    for (int i = 1; i < n; ++i) {
        int a, b, d;
        std::cin >> a >> b >> d;
        near[a].push_back({b, d});
        near[b].push_back({a, d});
    }
    long long wire = 0;
    std::function<long long(int, int)> behind = [&](int chamber, int from) {
        long long chambers = 1;
        for (auto [other, d] : near[chamber]) {
            if (other == from) continue;
            long long there = behind(other, chamber);
            wire += there * (n - there) * d;
            chambers += there;
        }
        return chambers;
    };
    behind(1, 0);
    std::cout << wire << "\n";
}
