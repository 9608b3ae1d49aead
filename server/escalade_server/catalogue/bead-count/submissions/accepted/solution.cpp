// Bead by bead.
#include <iostream>
#include <string>

int main() {
    char colour;
    std::string chain;
    std::cin >> colour >> chain;
    int count = 0;
    for (char bead : chain) count += bead == colour;
    std::cout << count << "\n";
}
