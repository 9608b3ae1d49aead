// Digit by digit: each choice of the first drum is the first of (n-1)! patterns.
#include <iostream>
#include <numeric>
#include <vector>

int main() {
    int n;
    long long k;
    std::cin >> n >> k;
    --k;
    std::vector<int> left(n);
    std::iota(left.begin(), left.end(), 1);
    long long patterns = 1;
    for (int i = 2; i < n; ++i) patterns *= i;
    for (int i = n - 1; i >= 0; --i) {
        long long at = k / patterns;
        k %= patterns;
        std::cout << left[at] << (i > 0 ? " " : "\n");
        left.erase(left.begin() + at);
        if (i > 0) patterns /= i;
    }
}
