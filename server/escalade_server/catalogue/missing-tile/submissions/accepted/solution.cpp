// The sum of all n letters' numbers, less those that are there, is the lost one's number.
#include <iostream>
#include <string>

int main() {
    std::string tiles;
    std::cin >> tiles;
    int n = tiles.size() + 1, lost = n * (n - 1) / 2;
    for (char tile : tiles) lost -= tile - 'a';
    std::cout << static_cast<char>('a' + lost) << "\n";
}
