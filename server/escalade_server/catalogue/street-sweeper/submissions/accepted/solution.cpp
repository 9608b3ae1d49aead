// Hierholzer's algorithm with an explicit stack.
#include <iostream>
#include <set>
#include <vector>

int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<std::set<int>> near(n + 1);
    int start = 0;
    for (int i = 0; i < m; ++i) {
        int a, b;
        std::cin >> a >> b;
        near[a].insert(b);
        near[b].insert(a);
        start = a;
    }
    for (int crossing = 1; crossing <= n; ++crossing) {
        if (near[crossing].size() % 2 == 1) start = crossing;
    }
    std::vector<int> stack{start}, drive;
    while (!stack.empty()) {
        int at = stack.back();
        if (near[at].empty()) {
            drive.push_back(at);
            stack.pop_back();
        } else {
            int to = *near[at].begin();
            near[at].erase(to);
            near[to].erase(at);
            stack.push_back(to);
        }
    }
    for (std::size_t i = 0; i < drive.size(); ++i) std::cout << drive[i] << (i + 1 < drive.size() ? " " : "\n");
}
