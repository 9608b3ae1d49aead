// A basis of the switches by Gaussian elimination; each basis word remembers the switches that make it.
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<std::uint64_t> basis(n, 0), made_of(n, 0);
    auto reduce = [&](std::uint64_t lamps, std::uint64_t pressed, bool keep) {
        for (int bit = n - 1; bit >= 0; --bit) {
            if (!(lamps >> bit & 1)) continue;
            if (basis[bit] == 0) {
                if (keep) {
                    basis[bit] = lamps;
                    made_of[bit] = pressed;
                }
                return pressed;
            }
            lamps ^= basis[bit];
            pressed ^= made_of[bit];
        }
        return pressed;
    };
    std::string word;
    for (int i = 0; i < m; ++i) {
        std::cin >> word;
        reduce(std::stoull(word, nullptr, 2), std::uint64_t{1} << i, true);
    }
    std::cin >> word;
    std::uint64_t pressed = reduce(std::stoull(word, nullptr, 2), 0, false);
    const char* gap = "";
    for (int i = 0; i < m; ++i) {
        if (pressed >> i & 1) {
            std::cout << gap << i + 1;
            gap = " ";
        }
    }
    std::cout << "\n";
}
