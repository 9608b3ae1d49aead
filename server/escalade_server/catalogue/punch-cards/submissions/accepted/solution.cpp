// At each place, every card with a hole differs from every card without one.
#include <iostream>
#include <string>
#include <vector>

int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<long long> cost(m), holes(m, 0);
    for (long long& one : cost) std::cin >> one;
    for (int i = 0; i < n; ++i) {
        std::string card;
        std::cin >> card;
        for (int place = 0; place < m; ++place) holes[place] += card[place] == '1';
    }
    long long sum = 0;
    for (int place = 0; place < m; ++place) sum += cost[place] * holes[place] * (n - holes[place]);
    std::cout << sum << "\n";
}
