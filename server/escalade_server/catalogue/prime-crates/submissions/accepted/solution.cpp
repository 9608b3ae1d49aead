// Trial division.
#include <iostream>

int main() {
    long long n;
    std::cin >> n;
    const char* gap = "";
    for (long long divisor = 2; n > 1; ++divisor) {
        if (divisor * divisor > n) divisor = n;
        while (n % divisor == 0) {
            std::cout << gap << divisor;
            gap = " ";
            n /= divisor;
        }
    }
    std::cout << "\n";
}
