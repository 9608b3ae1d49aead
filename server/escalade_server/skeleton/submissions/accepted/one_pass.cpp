#include <iostream>
#include <utility>

int main() {
    int n, first = 0, second = 0;
    std::cin >> n;
    for (int i = 0; i < n; ++i) {
        int weight;
        std::cin >> weight;
        if (weight > first) std::swap(weight, first);
        if (weight > second) second = weight;
    }
    std::cout << first + second << "\n";
}
