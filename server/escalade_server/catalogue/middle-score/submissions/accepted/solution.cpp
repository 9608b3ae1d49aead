// Two heaps: the lower half with its largest on top, the upper half with its smallest on top.
#include <functional>
#include <iostream>
#include <queue>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::priority_queue<int> lower;
    std::priority_queue<int, std::vector<int>, std::greater<int>> upper;
    for (int i = 0; i < n; ++i) {
        int score;
        std::cin >> score;
        lower.push(score);
        upper.push(lower.top());
        lower.pop();
        if (upper.size() > lower.size()) {
            lower.push(upper.top());
            upper.pop();
        }
        std::cout << lower.top() << (i + 1 < n ? " " : "\n");
    }
}
