// Take the club that goes out earliest, again and again.
#include <algorithm>
#include <iostream>
#include <tuple>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<std::tuple<int, int, int>> wishes;
    for (int club = 1; club <= n; ++club) {
        int from, to;
        std::cin >> from >> to;
        wishes.push_back({to, from, club});
    }
    std::sort(wishes.begin(), wishes.end());
    int free = 0;
    const char* gap = "";
    for (auto [to, from, club] : wishes) {
        if (from >= free) {
            std::cout << gap << club;
            gap = " ";
            free = to;
        }
    }
    std::cout << "\n";
}
