// Ways for every length from 0 to n.
#include <iostream>
#include <vector>

int main() {
    int n, k;
    std::cin >> n >> k;
    std::vector<std::pair<int, int>> slabs(k);
    for (auto& [length, colours] : slabs) std::cin >> length >> colours;
    // Unsigned: a length between 0 and n may have more ways than fit, but those are not used for n then.
    std::vector<unsigned long long> ways(n + 1, 0);
    ways[0] = 1;
    for (int foot = 1; foot <= n; ++foot) {
        for (auto [length, colours] : slabs) {
            if (length <= foot) ways[foot] += colours * ways[foot - length];
        }
    }
    std::cout << ways[n] << "\n";
}
