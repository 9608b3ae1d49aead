// Floyd-Warshall: allow one more village on the way at a time.
#include <algorithm>
#include <iostream>
#include <vector>

int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<std::vector<int>> table(n, std::vector<int>(n, 1 << 28));
    for (int i = 0; i < n; ++i) table[i][i] = 0;
    while (m-- > 0) {
        int a, b, d;
        std::cin >> a >> b >> d;
        table[a - 1][b - 1] = table[b - 1][a - 1] = d;
    }
    for (int k = 0; k < n; ++k) {
        for (int i = 0; i < n; ++i) {
            for (int j = 0; j < n; ++j) table[i][j] = std::min(table[i][j], table[i][k] + table[k][j]);
        }
    }
    for (int i = 0; i < n; ++i) {
        for (int j = 0; j < n; ++j) std::cout << table[i][j] << (j + 1 < n ? " " : "\n");
    }
}
