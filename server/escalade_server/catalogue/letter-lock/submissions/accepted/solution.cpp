// Does the steps on the word.
#include <algorithm>
#include <iostream>
#include <string>

int main() {
    std::string word, kind;
    int q;
    std::cin >> word >> q;
    while (q-- > 0) {
        int i, j;
        std::cin >> kind >> i;
        if (kind == "shift") {
            std::rotate(word.begin(), word.begin() + i, word.end());
            continue;
        }
        std::cin >> j;
        if (kind == "turn") {
            std::reverse(word.begin() + i - 1, word.begin() + j);
        } else {
            std::swap(word[i - 1], word[j - 1]);
        }
    }
    std::cout << word << "\n";
}
