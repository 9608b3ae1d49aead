// Colour the scouts by breadth-first search and look for a quarrel inside a colour.
#include <iostream>
#include <queue>
#include <vector>

int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<std::vector<int>> near(n + 1);
    while (m-- > 0) {
        int a, b;
        std::cin >> a >> b;
        near[a].push_back(b);
        near[b].push_back(a);
    }
    std::vector<int> tent(n + 1, -1);
    for (int first = 1; first <= n; ++first) {
        if (tent[first] >= 0) continue;
        std::queue<int> queue({first});
        tent[first] = 0;
        while (!queue.empty()) {
            int scout = queue.front();
            queue.pop();
            for (int other : near[scout]) {
                if (tent[other] < 0) {
                    tent[other] = 1 - tent[scout];
                    queue.push(other);
                } else if (tent[other] == tent[scout]) {
                    std::cout << "NO\n";
                    return 0;
                }
            }
        }
    }
    std::cout << "YES\n";
}
