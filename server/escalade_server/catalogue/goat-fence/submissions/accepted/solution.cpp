// Convex hull by monotone chains, then the shoelace sum.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<std::pair<long long, long long>> posts(n), hull;
    for (auto& [x, y] : posts) std::cin >> x >> y;
    std::sort(posts.begin(), posts.end());
    auto chain = [&]() {
        std::size_t first = hull.size();
        for (const auto& post : posts) {
            while (hull.size() >= first + 2) {
                auto [ax, ay] = hull[hull.size() - 2];
                auto [bx, by] = hull.back();
                if ((bx - ax) * (post.second - ay) - (by - ay) * (post.first - ax) > 0) break;
                hull.pop_back();
            }
            hull.push_back(post);
        }
        hull.pop_back();
    };
    chain();
    std::reverse(posts.begin(), posts.end());
    chain();
    long long twice = 0;
    for (std::size_t i = 0; i < hull.size(); ++i) {
        auto [ax, ay] = hull[i];
        auto [bx, by] = hull[(i + 1) % hull.size()];
        twice += ax * by - bx * ay;
    }
    twice = std::llabs(twice);
    std::cout << twice / 2 << (twice % 2 ? ".5" : ".0") << "\n";
}
