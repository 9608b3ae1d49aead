// A small header for packages that use testlib and bring none of their own.
//
// Guarantee: generators, validators and checkers written to testlib's usual interface compile and mean the same:
// registerGen / rnd / opt, registerValidation / inf in strict mode, registerTestlibCmd / inf, ouf, ans / quitf, with
// testlib's exit codes. Random numbers are a function of the command line alone, on every machine, but not the numbers
// of the original. Interaction and points are left out on purpose: such problems are not supported.
#pragma once

#include <algorithm>
#include <cassert>
#include <cctype>
#include <cerrno>
#include <climits>
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

enum TResult { _ok = 0, _wa = 1, _pe = 2, _fail = 3, _dirt = 4, _points = 5, _unexpected_eof = 8 };
enum TMode { _input, _output, _answer };

#define OK_EXIT_CODE 0
#define WA_EXIT_CODE 1
#define PE_EXIT_CODE 2
#define FAIL_EXIT_CODE 3
#define LL "%lld"
#define I64 "%lld"
#define U64 "%llu"

namespace testlib_own {

enum class Role { none, generator, validator, checker };

struct State {
    Role role = Role::none;
    std::vector<std::string> arguments;
    int test_case = -1;
};

inline State& state() {
    static State instance;
    return instance;
}

inline std::string vformat(const char* pattern, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, pattern, again);
    va_end(again);
    if (length <= 0) return "";
    std::vector<char> buffer(static_cast<size_t>(length) + 1);
    std::vsnprintf(buffer.data(), buffer.size(), pattern, arguments);
    return std::string(buffer.data(), static_cast<size_t>(length));
}

}  // namespace testlib_own

#define TESTLIB_OWN_FORMAT(pattern, into)                    \
    std::string into;                                        \
    {                                                        \
        va_list testlib_own_list;                            \
        va_start(testlib_own_list, pattern);                 \
        into = testlib_own::vformat(pattern, testlib_own_list); \
        va_end(testlib_own_list);                            \
    }

__attribute__((format(printf, 1, 2))) inline std::string format(const char* pattern, ...) {
    TESTLIB_OWN_FORMAT(pattern, text)
    return text;
}

template <typename T>
std::string vtos(const T& value) {
    std::ostringstream out;
    out << std::setprecision(12) << value;
    return out.str();
}
template <typename T>
std::string toString(const T& value) { return vtos(value); }

inline std::string compress(const std::string& text) {
    return text.size() <= 64 ? text : text.substr(0, 30) + "..." + text.substr(text.size() - 30);
}
inline std::string englishEnding(int number) {
    const int tail = std::abs(number) % 100, last = tail % 10;
    if (tail / 10 == 1 || last == 0 || last > 3) return "th";
    return last == 1 ? "st" : last == 2 ? "nd" : "rd";
}
inline std::string upperCase(std::string text) {
    for (char& letter : text) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
    return text;
}
inline std::string lowerCase(std::string text) {
    for (char& letter : text) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    return text;
}
inline bool isBlanks(char letter) { return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r'; }
inline std::string trim(const std::string& text) {
    size_t begin = 0, end = text.size();
    while (begin < end && isBlanks(text[begin])) ++begin;
    while (end > begin && isBlanks(text[end - 1])) --end;
    return text.substr(begin, end - begin);
}
inline std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts(1);
    for (char letter : text) {
        if (letter == separator) parts.emplace_back();
        else parts.back() += letter;
    }
    return parts;
}
inline std::vector<std::string> tokenize(const std::string& text, char separator) {
    std::vector<std::string> parts;
    for (std::string& part : split(text, separator))
        if (!part.empty()) parts.push_back(std::move(part));
    return parts;
}
template <typename Iterator>
std::string join(Iterator begin, Iterator end, const std::string& separator = " ") {
    std::ostringstream out;
    for (Iterator place = begin; place != end; ++place) {
        if (place != begin) out << separator;
        out << *place;
    }
    return out.str();
}
template <typename Container>
std::string join(const Container& items, const std::string& separator = " ") {
    return join(items.begin(), items.end(), separator);
}

inline double doubleDelta(double expected, double result) {
    const double absolute = std::fabs(result - expected);
    return std::fabs(expected) > 1e-9 ? std::min(absolute, absolute / std::fabs(expected)) : absolute;
}
inline bool doubleCompare(double expected, double result, double limit) {
    limit += 1e-15;
    if (std::isnan(expected) || std::isnan(result)) return std::isnan(expected) && std::isnan(result);
    if (std::isinf(expected) || std::isinf(result)) return expected == result;
    return std::fabs(result - expected) <= limit * std::max(1.0, std::fabs(expected));
}

[[noreturn]] inline void quit(TResult result, const std::string& message = "");
__attribute__((format(printf, 2, 3))) [[noreturn]] inline void quitf(TResult result, const char* pattern, ...) {
    TESTLIB_OWN_FORMAT(pattern, text)
    quit(result, text);
}
__attribute__((format(printf, 3, 4))) inline void quitif(bool condition, TResult result, const char* pattern, ...) {
    TESTLIB_OWN_FORMAT(pattern, text)
    if (condition) quit(result, text);
}
__attribute__((format(printf, 2, 3))) inline void ensuref(bool condition, const char* pattern, ...) {
    TESTLIB_OWN_FORMAT(pattern, text)
    if (!condition) quit(_fail, text);
}
#define ensure(condition) ensuref((condition), "Condition failed: \"" #condition "\"")

#include "testlib_random.h"
#include "testlib_stream.h"

inline InStream inf(_input), ouf(_output), ans(_answer);

[[noreturn]] inline void quit(TResult result, const std::string& message) {
    static const std::map<TResult, const char*> names = {
        {_ok, "ok"}, {_wa, "wrong answer"}, {_pe, "wrong output format"}, {_fail, "FAIL"},
        {_dirt, "wrong output format"}, {_points, "points"}, {_unexpected_eof, "unexpected eof"}};
    std::string text = message;
    // As in the original unless asked otherwise: an output that ends early is one of the wrong format.
#ifndef ENABLE_UNEXPECTED_EOF
    if (result == _unexpected_eof) result = _pe;
#endif
    if (result == _dirt) result = _pe;
    const bool checking = testlib_own::state().role == testlib_own::Role::checker;
    // An accepted answer ends where the checker stopped reading.
    if (checking && result == _ok && !ouf.seekEof()) result = _pe, text = "Extra information in the output file";
    const int case_number = testlib_own::state().test_case;
    const std::string where = case_number >= 0 ? "test case " + std::to_string(case_number) + ": " : "";
    std::fflush(stdout);
    std::fprintf(stderr, "%s %s%s\n", names.at(result), where.c_str(), text.c_str());
    std::exit(result == _points ? 7 : static_cast<int>(result));
}

inline void setTestCase(int number) { testlib_own::state().test_case = number; }
inline void unsetTestCase() { testlib_own::state().test_case = -1; }

inline void registerGen(int argc, char* argv[], int = 1) {
    testlib_own::state().role = testlib_own::Role::generator;
    testlib_own::state().arguments.assign(argv, argv + argc);
    rnd.setSeed(argc, argv);
}

struct Validator {
    std::string testset() const { return option("--testset"); }
    std::string group() const { return option("--group"); }

private:
    static std::string option(const std::string& name) {
        const std::vector<std::string>& arguments = testlib_own::state().arguments;
        for (size_t i = 1; i + 1 < arguments.size(); ++i)
            if (arguments[i] == name) return arguments[i + 1];
        return "";
    }
};
inline Validator validator;

inline void registerValidation() {
    testlib_own::state().role = testlib_own::Role::validator;
    inf.open(stdin, true);
}
inline void registerValidation(int argc, char* argv[]) {
    testlib_own::state().arguments.assign(argv, argv + argc);
    registerValidation();
}

inline void registerTestlibCmd(int argc, char* argv[]) {
    testlib_own::state().role = testlib_own::Role::checker;
    testlib_own::state().arguments.assign(argv, argv + argc);
    if (argc < 4) quit(_fail, "give the files input, output and answer");
    inf.open(argv[1]);
    ouf.open(argv[2]);
    ans.open(argv[3]);
}
inline void registerTestlib(int argc, char* argv[]) { registerTestlibCmd(argc, argv); }

// Options: `-n 5`, `--n 5`, `-n=5`, `--n=5`; a dashed name without a value is `true`; numbers index the arguments.
namespace testlib_own {

inline bool is_option(const std::string& text) {
    const size_t dashes = text.find_first_not_of('-');
    return (dashes == 1 || dashes == 2) && std::isalpha(static_cast<unsigned char>(text[dashes]));
}

inline const std::map<std::string, std::string>& options() {
    static const std::map<std::string, std::string> found = [] {
        std::map<std::string, std::string> result;
        const std::vector<std::string>& arguments = state().arguments;
        for (size_t i = 1; i < arguments.size(); ++i) {
            if (!is_option(arguments[i])) continue;
            const std::string name = arguments[i].substr(arguments[i].find_first_not_of('-'));
            const size_t equals = name.find('=');
            if (equals != std::string::npos) result[name.substr(0, equals)] = name.substr(equals + 1);
            else if (i + 1 < arguments.size() && !is_option(arguments[i + 1])) result[name] = arguments[i + 1];
            else result[name] = "true";
        }
        return result;
    }();
    return found;
}

template <typename T>
T parse(const std::string& name, const std::string& text) {
    if constexpr (std::is_same_v<T, std::string>) {
        return text;
    } else if constexpr (std::is_same_v<T, bool>) {
        if (text == "true" || text == "1") return true;
        if (text == "false" || text == "0") return false;
    } else {
        std::istringstream in(text);
        T value{};
        if (in >> value && in.peek() == std::istringstream::traits_type::eof()) return value;
    }
    quit(_fail, "option " + name + ": cannot read " + compress(text));
}

}  // namespace testlib_own

inline bool has_opt(const std::string& name) { return testlib_own::options().count(name) > 0; }
template <typename T = std::string>
T opt(int index) {
    const std::vector<std::string>& arguments = testlib_own::state().arguments;
    if (index < 0 || static_cast<size_t>(index) >= arguments.size()) quitf(_fail, "there is no argument %d", index);
    return testlib_own::parse<T>(std::to_string(index), arguments[static_cast<size_t>(index)]);
}
template <typename T>
T opt(int index, const T& otherwise) {
    return static_cast<size_t>(index) < testlib_own::state().arguments.size() ? opt<T>(index) : otherwise;
}
template <typename T = std::string>
T opt(const std::string& name) {
    if (!has_opt(name)) quit(_fail, "there is no option " + name);
    return testlib_own::parse<T>(name, testlib_own::options().at(name));
}
template <typename T>
T opt(const std::string& name, const T& otherwise) { return has_opt(name) ? opt<T>(name) : otherwise; }

// Printing with spaces between and a newline at the end; containers by their elements.
namespace testlib_own {

template <typename T, typename = void>
struct IsRange : std::false_type {};
template <typename T>
struct IsRange<T, std::void_t<decltype(std::declval<const T&>().begin())>>
    : std::bool_constant<!std::is_same_v<T, std::string>> {};

template <typename T>
void write(const T& value) {
    if constexpr (IsRange<T>::value) std::cout << join(value);
    else std::cout << value;
}

}  // namespace testlib_own

inline void println() { std::cout << '\n'; }
template <typename First, typename... Rest>
void println(const First& first, const Rest&... rest) {
    testlib_own::write(first);
    ((std::cout << ' ', testlib_own::write(rest)), ...);
    std::cout << '\n';
}
template <typename Iterator, typename = typename std::iterator_traits<Iterator>::iterator_category>
void println(Iterator begin, Iterator end) { std::cout << join(begin, end) << '\n'; }
