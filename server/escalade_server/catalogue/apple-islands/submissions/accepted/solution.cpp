// Union-find that carries the apples along.
#include <functional>
#include <iostream>
#include <numeric>
#include <vector>

int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<int> apples(n), leader(n);
    for (int& grown : apples) std::cin >> grown;
    std::iota(leader.begin(), leader.end(), 0);
    std::function<int(int)> find = [&](int island) {
        return leader[island] == island ? island : leader[island] = find(leader[island]);
    };
    while (m-- > 0) {
        int a, b;
        std::cin >> a >> b;
        a = find(a - 1), b = find(b - 1);
        if (a != b) {
            leader[a] = b;
            apples[b] += apples[a];
        }
    }
    const char* gap = "";
    for (int island = 0; island < n; ++island) {
        if (find(island) == island) {
            std::cout << gap << apples[island];
            gap = " ";
        }
    }
    std::cout << "\n";
}
