// Part of testlib.h: patterns and random numbers. Not to be included alone.
#pragma once

// A pattern such as `[a-z]{1,10}`, `yes|no`, `-?[1-9][0-9]{0,5}`: matches whole texts, and makes random ones.
class pattern {
public:
    explicit pattern(const std::string& source) : source_(source) {
        size_t at = 0;
        root_ = alternatives(at);
        if (at != source_.size()) quit(_fail, "pattern: unexpected ) in " + source_);
    }

    bool matches(const std::string& text) const {
        const std::set<size_t> ends = step(root_, text, {0});
        return ends.count(text.size()) > 0;
    }
    const std::string& src() const { return source_; }

    template <typename Random>
    std::string next(Random& random) const { return make(root_, random); }

private:
    struct Node {
        std::string letters;                     // one of these, if it is a leaf
        std::vector<std::vector<Node>> choices;  // else one of these sequences
        int low = 1, high = 1;                   // how often
    };

    Node alternatives(size_t& at) {
        Node node;
        node.choices.emplace_back();
        while (at < source_.size() && source_[at] != ')') {
            if (source_[at] == '|') node.choices.emplace_back(), ++at;
            else node.choices.back().push_back(repeated(at));
        }
        return node;
    }

    Node repeated(size_t& at) {
        Node node;
        if (source_[at] == '(') {
            node = alternatives(++at);
            if (at >= source_.size()) quit(_fail, "pattern: ( without ) in " + source_);
            ++at;
        } else if (source_[at] == '[') {
            node.letters = letters(++at);
        } else {
            if (source_[at] == '\\' && at + 1 < source_.size()) ++at;
            node.letters = source_[at++];
        }
        if (at >= source_.size()) return node;
        const char sign = source_[at];
        if (sign == '?') node.low = 0, ++at;
        else if (sign == '*') node.low = 0, node.high = many, ++at;
        else if (sign == '+') node.high = many, ++at;
        else if (sign == '{') counts(node, ++at);
        return node;
    }

    void counts(Node& node, size_t& at) {
        const size_t end = source_.find('}', at);
        if (end == std::string::npos) quit(_fail, "pattern: { without } in " + source_);
        const std::string text = source_.substr(at, end - at);
        const size_t comma = text.find(',');
        node.low = std::atoi(text.c_str());
        node.high = comma == std::string::npos ? node.low
                    : comma + 1 == text.size() ? many
                                               : std::atoi(text.c_str() + comma + 1);
        if (node.low < 0 || node.high < node.low) quit(_fail, "pattern: counts in " + source_);
        at = end + 1;
    }

    std::string letters(size_t& at) {
        const bool negated = at < source_.size() && source_[at] == '^';
        if (negated) ++at;
        std::set<char> found;
        while (at < source_.size() && source_[at] != ']') {
            if (source_[at] == '\\' && at + 1 < source_.size()) ++at;
            const char first = source_[at++];
            char last = first;
            if (at + 1 < source_.size() && source_[at] == '-' && source_[at + 1] != ']') {
                at += source_[at + 1] == '\\' && at + 2 < source_.size() ? 2 : 1;
                last = source_[at++];
            }
            for (int letter = first; letter <= last; ++letter) found.insert(static_cast<char>(letter));
        }
        if (at >= source_.size()) quit(_fail, "pattern: [ without ] in " + source_);
        ++at;
        std::string result;
        for (int letter = 32; letter < 127; ++letter)
            if ((found.count(static_cast<char>(letter)) > 0) != negated) result += static_cast<char>(letter);
        return result;
    }

    // The places where a match may end, of those that start at given places.
    static std::set<size_t> step(const Node& node, const std::string& text, std::set<size_t> starts) {
        std::set<size_t> ends;
        if (node.low == 0) ends = starts;
        for (int count = 1; count <= node.high && !starts.empty(); ++count) {
            std::set<size_t> reached;
            if (node.choices.empty()) {
                for (size_t start : starts)
                    if (start < text.size() && node.letters.find(text[start]) != std::string::npos)
                        reached.insert(start + 1);
            }
            for (const std::vector<Node>& sequence : node.choices) {
                std::set<size_t> places = starts;
                for (const Node& part : sequence) places = step(part, text, places);
                reached.insert(places.begin(), places.end());
            }
            if (count >= node.low) {
                const size_t before = ends.size();
                ends.insert(reached.begin(), reached.end());
                if (ends.size() == before && reached == starts) break;
            }
            starts = std::move(reached);
        }
        return ends;
    }

    template <typename Random>
    static std::string make(const Node& node, Random& random) {
        std::string text;
        const int high = node.high == many ? node.low + 10 : node.high;
        for (int count = random.next(node.low, high); count > 0; --count) {
            if (node.choices.empty()) {
                if (node.letters.empty()) quit(_fail, "pattern: an empty set");
                text += node.letters[static_cast<size_t>(random.next(static_cast<int>(node.letters.size())))];
                continue;
            }
            const int choice = random.next(static_cast<int>(node.choices.size()));
            for (const Node& part : node.choices[static_cast<size_t>(choice)]) text += make(part, random);
        }
        return text;
    }

    static constexpr int many = INT_MAX;
    std::string source_;
    Node root_;
};

// Random numbers by splitmix64, seeded with the command line.
class random_t {
public:
    void setSeed(int argc, char* argv[]) {
        state_ = 0x6573636c616465ULL;
        for (int i = 1; i < argc; ++i) {
            for (const char* letter = argv[i]; *letter; ++letter) mix(static_cast<unsigned char>(*letter));
            mix(256);  // so that `1 23` and `12 3` differ
        }
    }
    void setSeed(long long seed) { state_ = static_cast<uint64_t>(seed); }

    int next(int limit) { return static_cast<int>(below(positive(limit))); }
    unsigned next(unsigned limit) { return static_cast<unsigned>(below(positive(limit))); }
    long long next(long long limit) { return static_cast<long long>(below(positive(limit))); }
    unsigned long long next(unsigned long long limit) { return below(positive(limit)); }
    long next(long limit) { return static_cast<long>(below(positive(limit))); }
    unsigned long next(unsigned long limit) { return below(positive(limit)); }
    double next() { return static_cast<double>(word() >> 11) * 0x1.0p-53; }
    double next(double limit) { return next() * limit; }

    template <typename A, typename B>
    std::common_type_t<A, B> next(A from, B to) {
        using T = std::common_type_t<A, B>;
        static_assert(std::is_arithmetic_v<T>, "rnd.next(from, to) takes numbers");
        if constexpr (std::is_floating_point_v<T>) return static_cast<T>(from + next() * (to - from));
        else return static_cast<T>(between(static_cast<long long>(from), static_cast<long long>(to)));
    }
    std::string next(const std::string& source) { return pattern(source).next(*this); }
    std::string next(const char* source) { return next(std::string(source)); }
    std::string next(const pattern& made) { return made.next(*this); }

    // The largest of `type + 1` draws, or the smallest of `-type + 1`.
    template <typename T>
    T wnext(T limit, int type) { return wnext(T(0), static_cast<T>(limit - 1), type); }
    template <typename A, typename B>
    std::common_type_t<A, B> wnext(A from, B to, int type) {
        std::common_type_t<A, B> best = next(from, to);
        for (int i = 0; i < std::abs(type); ++i) {
            const std::common_type_t<A, B> other = next(from, to);
            best = type > 0 ? std::max(best, other) : std::min(best, other);
        }
        return best;
    }

    template <typename Container>
    typename Container::value_type any(const Container& items) { return any(items.begin(), items.end()); }
    template <typename Iterator>
    typename std::iterator_traits<Iterator>::value_type any(Iterator begin, Iterator end) {
        const long long size = std::distance(begin, end);
        if (size == 0) quit(_fail, "rnd.any: nothing to choose from");
        return *std::next(begin, static_cast<std::ptrdiff_t>(next(size)));
    }
    template <typename Container>
    typename Container::value_type wany(const Container& items, int type) {
        if (items.empty()) quit(_fail, "rnd.wany: nothing to choose from");
        const long long size = static_cast<long long>(items.size());
        return *std::next(items.begin(), static_cast<std::ptrdiff_t>(wnext(size, type)));
    }

    template <typename T = int>
    std::vector<T> perm(T size, T first = T(0)) {
        std::vector<T> items(static_cast<size_t>(std::max<long long>(0, static_cast<long long>(size))));
        std::iota(items.begin(), items.end(), first);
        for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
        return items;
    }
    template <typename T>
    std::vector<T> distinct(int size, T from, T to) {
        if (size < 0 || static_cast<long long>(to) - static_cast<long long>(from) + 1 < size)
            quit(_fail, "rnd.distinct: not so many numbers in the range");
        // Floyd's way: one draw per number, whatever the range.
        std::set<T> taken;
        std::vector<T> items;
        for (T last = static_cast<T>(to - size + 1); static_cast<int>(items.size()) < size; ++last) {
            const T drawn = static_cast<T>(next(static_cast<long long>(from), static_cast<long long>(last)));
            items.push_back(taken.insert(drawn).second ? drawn : (taken.insert(last), last));
        }
        for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
        return items;
    }
    template <typename T>
    std::vector<T> distinct(int size, T limit) { return distinct(size, T(0), static_cast<T>(limit - 1)); }
    template <typename T>
    std::vector<T> partition(int size, T sum, T smallest = T(1)) {
        const T rest = static_cast<T>(sum - smallest * size);
        if (size <= 0 || rest < 0) quit(_fail, "rnd.partition: the sum is too small");
        std::vector<T> cuts(static_cast<size_t>(size) + 1, T(0));
        for (size_t i = 1; i < cuts.size() - 1; ++i) cuts[i] = static_cast<T>(next(T(0), rest));
        cuts.back() = rest;
        std::sort(cuts.begin(), cuts.end());
        std::vector<T> parts;
        for (size_t i = 1; i < cuts.size(); ++i) parts.push_back(static_cast<T>(cuts[i] - cuts[i - 1] + smallest));
        return parts;
    }

private:
    void mix(unsigned value) {
        state_ ^= value;
        state_ = word();
    }
    uint64_t word() {
        uint64_t value = (state_ += 0x9e3779b97f4a7c15ULL);
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
        value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
        return value ^ (value >> 31);
    }
    uint64_t below(uint64_t limit) {
        const uint64_t fair = UINT64_MAX - UINT64_MAX % limit;
        uint64_t drawn;
        do drawn = word();
        while (drawn >= fair);
        return drawn % limit;
    }
    long long between(long long from, long long to) {
        if (from > to) quit(_fail, "rnd.next: an empty range");
        const uint64_t width = static_cast<uint64_t>(to) - static_cast<uint64_t>(from);
        const uint64_t offset = width == UINT64_MAX ? word() : below(width + 1);
        return static_cast<long long>(static_cast<uint64_t>(from) + offset);
    }
    template <typename T>
    static uint64_t positive(T limit) {
        if (limit <= 0) quit(_fail, "rnd.next: a limit above 0 is needed");
        return static_cast<uint64_t>(limit);
    }

    uint64_t state_ = 1;
};

inline random_t rnd;

template <typename Iterator>
void shuffle(Iterator begin, Iterator end) {
    for (auto size = std::distance(begin, end); size > 1; --size)
        std::iter_swap(std::next(begin, size - 1),
                       std::next(begin, static_cast<std::ptrdiff_t>(rnd.next(static_cast<long long>(size)))));
}
