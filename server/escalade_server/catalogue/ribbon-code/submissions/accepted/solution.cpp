// One pass with a stack of the ribbons begun so far.
#include <cctype>
#include <iostream>
#include <string>
#include <vector>

int main() {
    std::string pattern;
    std::cin >> pattern;
    std::vector<std::pair<std::string, int>> begun{{"", 1}};
    int count = 0;
    for (char letter : pattern) {
        if (std::isdigit(static_cast<unsigned char>(letter))) {
            count = 10 * count + (letter - '0');
        } else if (letter == '(') {
            begun.push_back({"", count});
            count = 0;
        } else if (letter == ')') {
            auto [part, times] = begun.back();
            begun.pop_back();
            while (times-- > 0) begun.back().first += part;
        } else {
            begun.back().first += letter;
        }
    }
    std::cout << begun.back().first << "\n";
}
