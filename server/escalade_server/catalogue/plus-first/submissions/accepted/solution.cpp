// Recursive descent: a product of sums of values.
#include <cctype>
#include <iostream>
#include <string>

std::string text;
std::size_t at = 0;

long long product();

long long value() {
    if (text[at] == '(') {
        ++at;
        long long inside = product();
        ++at;
        return inside;
    }
    long long number = 0;
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at]))) number = 10 * number + (text[at++] - '0');
    return number;
}

long long sum() {
    long long total = value();
    while (at < text.size() && (text[at] == '+' || text[at] == '-')) {
        bool plus = text[at++] == '+';
        long long next = value();
        total += plus ? next : -next;
    }
    return total;
}

long long product() {
    long long total = sum();
    while (at < text.size() && text[at] == '*') {
        ++at;
        total *= sum();
    }
    return total;
}

int main() {
    std::cin >> text;
    std::cout << product() << "\n";
}
