// Remembers for every child who stands behind it.
#include <iostream>
#include <string>

int main() {
    std::string line;
    char child, behind[256] = {};
    std::cin >> line >> child;
    for (size_t place = 0; place + 1 < line.size(); place++) behind[static_cast<unsigned char>(line[place])] = line[place + 1];
    std::cout << behind[static_cast<unsigned char>(child)] << "\n";
}
