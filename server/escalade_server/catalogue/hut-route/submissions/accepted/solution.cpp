// Dijkstra's algorithm from the goal, so that the route can be read forwards.
#include <algorithm>
#include <functional>
#include <iostream>
#include <queue>
#include <vector>

int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<std::vector<std::pair<int, int>>> near(n + 1);
    for (int i = 0; i < m; ++i) {
        int a, b, t;
        std::cin >> a >> b >> t;
        near[a].push_back({b, t});
        near[b].push_back({a, t});
    }
    std::vector<int> minutes(n + 1, 1 << 30), next(n + 1, 0);
    using Item = std::pair<int, int>;
    std::priority_queue<Item, std::vector<Item>, std::greater<Item>> queue;
    minutes[n] = 0;
    queue.push({0, n});
    while (!queue.empty()) {
        auto [far, hut] = queue.top();
        queue.pop();
        if (far > minutes[hut]) continue;
        for (auto [other, t] : near[hut]) {
            if (far + t < minutes[other]) {
                minutes[other] = far + t;
                next[other] = hut;
                queue.push({far + t, other});
            }
        }
    }
    for (int hut = 1; hut != n; hut = next[hut]) std::cout << hut << " ";
    std::cout << n << "\n";
}
