// Two stacks of texts: those before, and those taken back.
#include <iostream>
#include <stack>
#include <string>

int main() {
    int q;
    std::cin >> q;
    std::string text, action;
    std::stack<std::string> before, taken_back;
    while (q-- > 0) {
        std::cin >> action;
        if (action == "undo") {
            taken_back.push(text);
            text = before.top();
            before.pop();
        } else if (action == "redo") {
            before.push(text);
            text = taken_back.top();
            taken_back.pop();
        } else {
            before.push(text);
            taken_back = {};
            if (action == "type") {
                std::string word;
                std::cin >> word;
                text += word;
            } else {
                int letters;
                std::cin >> letters;
                text.resize(text.size() - letters);
            }
        }
    }
    std::cout << text << "\n";
}
