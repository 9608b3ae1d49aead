// Fewest stamps for every amount from 0 up, remembering the last stamp.
#include <iostream>
#include <vector>

int main() {
    int n, total;
    std::cin >> n >> total;
    std::vector<int> values(n), fewest(total + 1, 1 << 20), last(total + 1, 0);
    for (int& value : values) std::cin >> value;
    fewest[0] = 0;
    for (int cents = 1; cents <= total; ++cents) {
        for (int value : values) {
            if (value <= cents && fewest[cents - value] + 1 < fewest[cents]) {
                fewest[cents] = fewest[cents - value] + 1;
                last[cents] = value;
            }
        }
    }
    for (int cents = total; cents > 0; cents -= last[cents]) {
        std::cout << last[cents] << (cents > last[cents] ? " " : "\n");
    }
}
