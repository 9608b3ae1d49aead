// Plays the queue minute by minute.
#include <deque>
#include <iostream>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<int> need(n);
    std::vector<long long> leaves(n);
    std::deque<int> queue;
    for (int i = 0; i < n; ++i) {
        std::cin >> need[i];
        queue.push_back(i);
    }
    for (long long minute = 1; !queue.empty(); ++minute) {
        int child = queue.front();
        queue.pop_front();
        if (--need[child] == 0) {
            leaves[child] = minute;
        } else {
            queue.push_back(child);
        }
    }
    for (int i = 0; i < n; ++i) std::cout << leaves[i] << (i + 1 < n ? " " : "\n");
}
