// Marks every square decimetre, by differences in two directions.
#include <iostream>
#include <vector>

int main() {
    int n;
    std::cin >> n;
    std::vector<std::vector<int>> posters(1002, std::vector<int>(1002, 0));
    while (n-- > 0) {
        int x1, y1, x2, y2;
        std::cin >> x1 >> y1 >> x2 >> y2;
        ++posters[x1][y1];
        --posters[x1][y2];
        --posters[x2][y1];
        ++posters[x2][y2];
    }
    int covered = 0;
    for (int x = 0; x < 1001; ++x) {
        for (int y = 0; y < 1001; ++y) {
            if (x > 0) posters[x][y] += posters[x - 1][y];
            if (y > 0) posters[x][y] += posters[x][y - 1];
            if (x > 0 && y > 0) posters[x][y] -= posters[x - 1][y - 1];
            covered += posters[x][y] > 0;
        }
    }
    std::cout << covered << "\n";
}
