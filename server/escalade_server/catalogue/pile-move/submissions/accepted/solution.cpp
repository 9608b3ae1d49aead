// The binary sum without carry of all piles must be zero after the move.
#include <iostream>
#include <vector>

int main() {
    int n, all = 0;
    std::cin >> n;
    std::vector<int> piles(n);
    for (int& pile : piles) {
        std::cin >> pile;
        all ^= pile;
    }
    for (int i = 0; i < n; ++i) {
        if ((piles[i] ^ all) < piles[i]) {
            std::cout << i + 1 << " " << piles[i] - (piles[i] ^ all) << "\n";
            return 0;
        }
    }
}
