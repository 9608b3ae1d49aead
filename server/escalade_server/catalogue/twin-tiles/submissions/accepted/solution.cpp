// Marks letters that were seen until one is seen again.
#include <iostream>
#include <string>

int main() {
    std::string tiles;
    std::cin >> tiles;
    bool seen[256] = {};
    for (unsigned char tile : tiles) {
        if (seen[tile]) {
            std::cout << tile << "\n";
            break;
        }
        seen[tile] = true;
    }
}
