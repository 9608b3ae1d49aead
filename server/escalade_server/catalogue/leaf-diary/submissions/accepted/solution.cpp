// Forwards with a heap of the present leaves.
#include <functional>
#include <iostream>
#include <queue>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<int> diary(n - 2), stems(n + 1, 1);
    for (int& knot : diary) {
        std::cin >> knot;
        ++stems[knot];
    }
    std::priority_queue<int, std::vector<int>, std::greater<int>> leaves;
    for (int knot = 1; knot <= n; ++knot) {
        if (stems[knot] == 1) leaves.push(knot);
    }
    for (int knot : diary) {
        std::cout << leaves.top() << " " << knot << "\n";
        leaves.pop();
        if (--stems[knot] == 1) leaves.push(knot);
    }
    int last = leaves.top();
    leaves.pop();
    std::cout << last << " " << leaves.top() << "\n";
}
