// Tries the letters from z downwards.
#include <iostream>
#include <string>

int main() {
    std::string initials;
    std::cin >> initials;
    char letter = 'z';
    while (initials.find(letter) == std::string::npos) letter--;
    std::cout << letter << "\n";
}
