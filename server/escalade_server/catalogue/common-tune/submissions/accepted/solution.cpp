// The classic table over suffixes, read off from the front.
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

int main() {
    std::string ada, bo;
    std::cin >> ada >> bo;
    int n = ada.size(), m = bo.size();
    std::vector<std::vector<int>> longest(n + 1, std::vector<int>(m + 1, 0));
    for (int i = n - 1; i >= 0; --i) {
        for (int j = m - 1; j >= 0; --j) {
            longest[i][j] = ada[i] == bo[j] ? longest[i + 1][j + 1] + 1 : std::max(longest[i + 1][j], longest[i][j + 1]);
        }
    }
    std::string tune;
    for (int i = 0, j = 0; i < n && j < m;) {
        if (ada[i] == bo[j]) {
            tune += ada[i];
            ++i, ++j;
        } else if (longest[i + 1][j] >= longest[i][j + 1]) {
            ++i;
        } else {
            ++j;
        }
    }
    std::cout << tune << "\n";
}
