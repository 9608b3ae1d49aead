// One counter for each letter.
#include <iostream>
#include <string>

int main() {
    std::string votes;
    std::cin >> votes;
    int counts[256] = {};
    char winner = votes[0];
    for (unsigned char ballot : votes) {
        counts[ballot]++;
        if (counts[ballot] > counts[static_cast<unsigned char>(winner)]) winner = ballot;
    }
    std::cout << winner << "\n";
}
