// Listens minute by minute.
#include <iostream>
#include <vector>

int main() {
    int n, t;
    std::cin >> n >> t;
    std::vector<int> every(n);
    for (int& minutes : every) std::cin >> minutes;
    int marks = 0;
    for (int minute = 1; minute <= t; ++minute) {
        int ringing = 0;
        for (int minutes : every) ringing += minute % minutes == 0;
        marks += ringing % 2;
    }
    std::cout << marks << "\n";
}
