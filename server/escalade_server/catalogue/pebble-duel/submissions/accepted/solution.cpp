// Sprague-Grundy: a value for every heap size, combined by exclusive or.
#include <algorithm>
#include <iostream>
#include <set>
#include <vector>

int main() {
    int p, q;
    std::cin >> p >> q;
    std::vector<int> heaps(p), moves(q);
    for (int& size : heaps) std::cin >> size;
    for (int& move : moves) std::cin >> move;
    std::vector<int> value(*std::max_element(heaps.begin(), heaps.end()) + 1, 0);
    for (int size = 0; size < static_cast<int>(value.size()); ++size) {
        std::set<int> left;
        for (int move : moves) {
            if (move <= size) left.insert(value[size - move]);
        }
        while (left.count(value[size])) ++value[size];
    }
    int balance = 0;
    for (int size : heaps) balance ^= value[size];
    std::cout << (balance ? "Alice" : "Bob") << "\n";
}
