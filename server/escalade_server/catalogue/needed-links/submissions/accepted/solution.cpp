// Which topic leads to which, as bit sets; a link is spared if a further link from its first topic leads to its second.
#include <bitset>
#include <iostream>
#include <vector>

int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<std::bitset<64>> leads(n + 1), linked(n + 1);
    while (m-- > 0) {
        int a, b;
        std::cin >> a >> b;
        leads[a][b] = linked[a][b] = true;
    }
    for (int k = 1; k <= n; ++k) {
        for (int a = 1; a <= n; ++a) {
            if (leads[a][k]) leads[a] |= leads[k];
        }
    }
    for (int a = 1; a <= n; ++a) {
        for (int b = 1; b <= n; ++b) {
            bool spared = false;
            for (int via = 1; via <= n; ++via) spared |= linked[a][via] && leads[via][b];
            if (linked[a][b] && !spared) std::cout << a << " " << b << "\n";
        }
    }
}
