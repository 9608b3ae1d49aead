// Counts aloud, child by child, around a linked ring.
#include <iostream>
#include <list>
#include <string>

int main() {
    int n, k;
    std::string children;
    std::cin >> n >> k >> children;
    std::list<char> ring(children.begin(), children.end());
    auto child = ring.begin();
    std::string order;
    while (!ring.empty()) {
        for (int count = 1; count < k; ++count) {
            if (++child == ring.end()) child = ring.begin();
        }
        order += *child;
        child = ring.erase(child);
        if (child == ring.end()) child = ring.begin();
    }
    std::cout << order << "\n";
}
