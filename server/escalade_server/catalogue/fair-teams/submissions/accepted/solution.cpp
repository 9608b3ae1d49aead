// Which sums can be made, and with which last child.
#include <iostream>
#include <numeric>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<int> strength(n);
    for (int& one : strength) std::cin >> one;
    int half = std::accumulate(strength.begin(), strength.end(), 0) / 2;
    std::vector<int> last(half + 1, -1);
    for (int child = 0; child < n; ++child) {
        for (int sum = half; sum >= strength[child]; --sum) {
            int rest = sum - strength[child];
            // A sum keeps its first maker, so the chain of makers only goes to earlier children.
            if (last[sum] < 0 && (rest == 0 || (last[rest] >= 0 && last[rest] < child))) last[sum] = child;
        }
    }
    for (int sum = half; sum > 0; sum -= strength[last[sum]]) {
        std::cout << last[sum] + 1 << (sum > strength[last[sum]] ? " " : "\n");
    }
}
