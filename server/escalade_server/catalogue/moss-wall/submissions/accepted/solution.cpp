// A wall with a bare rim around it, replaced month by month.
#include <iostream>
#include <vector>

int main() {
    int n, t;
    std::cin >> n >> t;
    std::vector<std::vector<int>> wall(n + 2, std::vector<int>(n + 2, 0));
    for (int i = 1; i <= n; ++i) {
        for (int j = 1; j <= n; ++j) std::cin >> wall[i][j];
    }
    while (t-- > 0) {
        auto before = wall;
        for (int i = 1; i <= n; ++i) {
            for (int j = 1; j <= n; ++j) {
                int near = before[i - 1][j] + before[i + 1][j] + before[i][j - 1] + before[i][j + 1];
                wall[i][j] = near == 1 || near == 2;
            }
        }
    }
    for (int i = 1; i <= n; ++i) {
        for (int j = 1; j <= n; ++j) std::cout << wall[i][j] << (j < n ? " " : "\n");
    }
}
