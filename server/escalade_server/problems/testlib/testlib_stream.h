// Part of testlib.h: the streams that validators and checkers read. Not to be included alone.
#pragma once

// A whole file in memory. Strict streams (validators) take every blank as it stands, others pass over them.
class InStream {
public:
    explicit InStream(TMode mode) : mode(mode) {}

    void open(std::FILE* file, bool strict_mode = false) {
        strict = strict_mode;
        text_.clear();
        at_ = 0;
        char buffer[1 << 16];
        size_t count;
        while ((count = std::fread(buffer, 1, sizeof buffer, file)) > 0) text_.append(buffer, count);
    }
    void open(const char* path) {
        std::FILE* file = std::fopen(path, "rb");
        if (file == nullptr) ::quit(_fail, std::string("cannot open ") + path);
        open(file);
        std::fclose(file);
    }

    // A verdict about this stream: whatever is wrong with the input or the reference answer is the judge's failure.
    [[noreturn]] void quit(TResult result, const std::string& message) const {
        if (mode != _output && result != _ok) ::quit(_fail, std::string(name()) + message);
        ::quit(result, message);
    }
    __attribute__((format(printf, 3, 4))) [[noreturn]] void quitf(TResult result, const char* pattern, ...) const {
        TESTLIB_OWN_FORMAT(pattern, text)
        quit(result, text);
    }
    __attribute__((format(printf, 4, 5))) void quitif(bool condition, TResult result, const char* pattern, ...) const {
        TESTLIB_OWN_FORMAT(pattern, text)
        if (condition) quit(result, text);
    }
    __attribute__((format(printf, 3, 4))) void ensuref(bool condition, const char* pattern, ...) const {
        TESTLIB_OWN_FORMAT(pattern, text)
        if (!condition) quit(mode == _output ? _wa : _fail, text);
    }

    bool eof() const { return at_ >= text_.size(); }
    bool eoln() const { return eof() || text_[at_] == '\n' || (text_[at_] == '\r' && peek(1) == '\n'); }
    bool seekEof() {
        skipBlanks();
        return eof();
    }
    bool seekEoln() {
        while (!eof() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
        return eoln();
    }
    void skipBlanks() {
        while (!eof() && isBlanks(text_[at_])) ++at_;
    }
    char curChar() const { return eof() ? static_cast<char>(EOF) : text_[at_]; }
    char nextChar() { return eof() ? static_cast<char>(EOF) : text_[at_++]; }
    void skipChar() { if (!eof()) ++at_; }
    void unreadChar(char) { if (at_ > 0) --at_; }
    void reset() { at_ = 0; }
    int getLine() const { return 1 + static_cast<int>(std::count(text_.begin(), text_.begin() + here(), '\n')); }

    char readChar() {
        if (eof()) quit(_unexpected_eof, "unexpected end of file");
        return text_[at_++];
    }
    char readChar(char wanted) {
        const char found = readChar();
        if (found != wanted) quit(_pe, std::string("expected '") + wanted + "', found '" + found + "'" + line());
        return found;
    }
    char readSpace() { return readChar(' '); }
    void readEoln() {
        if (!strict) seekEoln();
        if (!strict && eof()) return;
        if (!strict && peek(0) == '\r' && peek(1) == '\n') ++at_;
        if (eof() || text_[at_] != '\n') quit(_pe, "expected the end of the line" + line());
        ++at_;
    }
    void readEof() {
        if (!strict) skipBlanks();
        if (!eof()) quit(_pe, "expected the end of the file" + line());
    }

    std::string readToken() {
        if (!strict) skipBlanks();
        if (eof()) quit(_unexpected_eof, "unexpected end of file: a token expected");
        const size_t begin = at_;
        while (!eof() && !isBlanks(text_[at_])) ++at_;
        if (begin == at_) quit(_pe, "a token expected, a blank found" + line());
        return text_.substr(begin, at_ - begin);
    }
    std::string readToken(const pattern& wanted, const std::string& variable = "") {
        return fitting(readToken(), wanted, variable);
    }
    std::string readToken(const std::string& wanted, const std::string& variable = "") {
        return readToken(pattern(wanted), variable);
    }
    std::string readWord() { return readToken(); }
    std::string readWord(const pattern& wanted, const std::string& variable = "") { return readToken(wanted, variable); }
    std::string readWord(const std::string& wanted, const std::string& variable = "") {
        return readToken(wanted, variable);
    }
    void readTokenTo(std::string& result) { result = readToken(); }
    void readWordTo(std::string& result) { result = readToken(); }
    std::vector<std::string> readTokens(int size, const std::string& wanted = "", const std::string& variable = "") {
        return several<std::string>(size, [&] { return wanted.empty() ? readToken() : readToken(wanted, variable); });
    }

    std::string readLine() {
        if (eof()) quit(_unexpected_eof, "unexpected end of file: a line expected");
        const size_t begin = at_;
        while (!eof() && text_[at_] != '\n') ++at_;
        size_t end = at_;
        if (!eof()) ++at_;
        else if (strict) quit(_pe, "expected the end of the line" + line());
        if (!strict && end > begin && text_[end - 1] == '\r') --end;
        return text_.substr(begin, end - begin);
    }
    std::string readLine(const std::string& wanted, const std::string& variable = "") {
        return fitting(readLine(), pattern(wanted), variable);
    }
    std::string readString() { return readLine(); }
    std::string readString(const std::string& wanted, const std::string& variable = "") {
        return readLine(wanted, variable);
    }
    void readLineTo(std::string& result) { result = readLine(); }
    void readStringTo(std::string& result) { result = readLine(); }

    long long readLong() {
        const std::string token = readToken();
        const size_t digits = token[0] == '-' ? 1 : 0;
        const bool plain = token.size() > digits && token.size() <= 20 &&
                           std::all_of(token.begin() + static_cast<long>(digits), token.end(),
                                       [](char letter) { return letter >= '0' && letter <= '9'; });
        const bool padded = plain && ((token[digits] == '0' && token.size() > digits + 1) || token == "-0");
        errno = 0;
        const long long value = plain ? std::strtoll(token.c_str(), nullptr, 10) : 0;
        if (!plain || padded || errno == ERANGE) quit(_pe, "an integer expected, \"" + compress(token) + "\" found" + line());
        return value;
    }
    long long readLong(long long low, long long high, const std::string& variable = "") {
        return within(readLong(), low, high, variable);
    }
    unsigned long long readUnsignedLong() {
        const std::string token = readToken();
        const bool plain = token.size() <= 20 && std::all_of(token.begin(), token.end(), [](char letter) {
                               return letter >= '0' && letter <= '9';
                           }) && !(token[0] == '0' && token.size() > 1);
        errno = 0;
        const unsigned long long value = plain ? std::strtoull(token.c_str(), nullptr, 10) : 0;
        if (!plain || errno == ERANGE) quit(_pe, "an unsigned integer expected, \"" + compress(token) + "\" found" + line());
        return value;
    }
    unsigned long long readUnsignedLong(unsigned long long low, unsigned long long high, const std::string& variable = "") {
        return within(readUnsignedLong(), low, high, variable);
    }
    int readInt() {
        const long long value = readLong();
        if (value < INT_MIN || value > INT_MAX) quit(_pe, "a 32-bit integer expected, " + vtos(value) + " found" + line());
        return static_cast<int>(value);
    }
    int readInt(int low, int high, const std::string& variable = "") { return within(readInt(), low, high, variable); }
    int readInteger() { return readInt(); }
    int readInteger(int low, int high, const std::string& variable = "") { return readInt(low, high, variable); }
    std::vector<int> readInts(int size, int low = INT_MIN, int high = INT_MAX, const std::string& variable = "") {
        return several<int>(size, [&] { return readInt(low, high, variable); });
    }
    std::vector<int> readIntegers(int size, int low = INT_MIN, int high = INT_MAX, const std::string& variable = "") {
        return readInts(size, low, high, variable);
    }
    std::vector<long long> readLongs(int size, long long low = LLONG_MIN, long long high = LLONG_MAX,
                                     const std::string& variable = "") {
        return several<long long>(size, [&] { return readLong(low, high, variable); });
    }

    double readDouble() { return real(readToken()); }
    double readDouble(double low, double high, const std::string& variable = "") {
        return within(readDouble(), low, high, variable);
    }
    double readReal() { return readDouble(); }
    double readReal(double low, double high, const std::string& variable = "") { return readDouble(low, high, variable); }
    std::vector<double> readDoubles(int size, double low, double high, const std::string& variable = "") {
        return several<double>(size, [&] { return readDouble(low, high, variable); });
    }
    double readStrictDouble(double low, double high, int fewest, int most, const std::string& variable = "") {
        const std::string token = readToken();
        const size_t point = token.find('.');
        const int places = point == std::string::npos ? 0 : static_cast<int>(token.size() - point - 1);
        if (places < fewest || places > most) quit(_pe, "wrong number of digits after the point: " + compress(token) + line());
        return within(real(token), low, high, variable);
    }
    double readStrictReal(double low, double high, int fewest, int most, const std::string& variable = "") {
        return readStrictDouble(low, high, fewest, most, variable);
    }

    TMode mode;
    bool strict = false;

private:
    const char* name() const { return mode == _input ? "(input) " : "(answer) "; }
    char peek(size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
    std::ptrdiff_t here() const { return static_cast<std::ptrdiff_t>(std::min(at_, text_.size())); }
    std::string line() const { return " (line " + std::to_string(getLine()) + ")"; }

    double real(const std::string& token) const {
        // Decimal notation alone: no `nan`, `inf` or hexadecimal digits.
        const bool plain = token.find_first_not_of("+-.0123456789eE") == std::string::npos;
        char* end = nullptr;
        const double value = plain ? std::strtod(token.c_str(), &end) : 0;
        if (!plain || *end != '\0' || !std::isfinite(value))
            quit(_pe, "a number expected, \"" + compress(token) + "\" found" + line());
        return value;
    }
    template <typename T>
    T within(T value, T low, T high, const std::string& variable) const {
        if (value < low || value > high)
            quit(_wa, (variable.empty() ? "value" : variable) + " = " + vtos(value) + " is outside [" + vtos(low) + ", " +
                          vtos(high) + "]" + line());
        return value;
    }
    std::string fitting(const std::string& text, const pattern& wanted, const std::string& variable) const {
        if (!wanted.matches(text))
            quit(_wa, (variable.empty() ? "text" : variable) + " = \"" + compress(text) + "\" does not match " +
                          wanted.src() + line());
        return text;
    }
    template <typename T, typename Read>
    std::vector<T> several(int size, Read read) {
        std::vector<T> items;
        for (int i = 0; i < size; ++i) {
            if (strict && i > 0) readSpace();
            items.push_back(read());
        }
        return items;
    }

    std::string text_;
    size_t at_ = 0;
};
