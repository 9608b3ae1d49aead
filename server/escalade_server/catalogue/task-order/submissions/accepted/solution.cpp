// Kahn's algorithm: always do some task that waits for nothing.
#include <iostream>
#include <queue>
#include <vector>

int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<std::vector<int>> after(n + 1);
    std::vector<int> waits(n + 1, 0);
    while (m-- > 0) {
        int a, b;
        std::cin >> a >> b;
        after[a].push_back(b);
        ++waits[b];
    }
    std::queue<int> free;
    for (int task = 1; task <= n; ++task) {
        if (waits[task] == 0) free.push(task);
    }
    for (int done = 1; !free.empty(); ++done) {
        int task = free.front();
        free.pop();
        std::cout << task << (done < n ? " " : "\n");
        for (int later : after[task]) {
            if (--waits[later] == 0) free.push(later);
        }
    }
}
