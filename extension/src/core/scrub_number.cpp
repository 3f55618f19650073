// SPDX-License-Identifier: Apache-2.0
#include "core/scrub_number.hpp"

#include "core/scrub_digit.hpp"
#include "core/scrub_iin.hpp"
#include "core/scrub_known.hpp"

#include <initializer_list>

namespace aegis::core {

namespace {

constexpr size_t kMostBetween = 3;    // characters between two groups
constexpr size_t kNearby = 64;        // bytes in which a word gives context
constexpr size_t kLongestPhone = 15;  // digits of an international number (E.164)

constexpr size_t kPadding = 3;  // zeros in front that are not part of a number

struct Group {
    size_t begin, end;  // in the text
    size_t first;       // in the digits
    size_t count;
    bool wrapped;  // only line ends separate it from the group before
};

bool all_are(const uint8_t *sizes, size_t count, uint8_t size) {
    for (size_t i = 0; i < count; ++i)
        if (sizes[i] != size) return false;
    return true;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool begins_with(std::string_view text, size_t at, std::string_view word) {
    if (text.size() - at < word.size()) return false;
    for (size_t i = 0; i < word.size(); ++i)
        if (lower(text[at + i]) != word[i]) return false;
    return true;
}

class Finder {
 public:
    Finder(std::string_view text, bool context, std::vector<Span> *out)
        : text_(text), context_(context), out_(out) {}

    void run() {
        for (size_t at = 0; at < text_.size();) {
            const Symbol symbol = symbol_at(text_, at);
            take(symbol, at);
            at += symbol.bytes;
        }
        examine();
    }

 private:
    void take(const Symbol &symbol, size_t at) {
        switch (symbol.part) {
            case Part::digit:
                if (!open_) groups_.push_back({at, at, digits_.size(), 0, only_lines_});
                open_ = true;
                between_ = 0;
                only_lines_ = true;
                digits_.push_back(symbol.value);
                groups_.back().count++;
                groups_.back().end = at + symbol.bytes;
                return;
            case Part::unseen:
                return;
            case Part::separator:
                only_lines_ = false;
                [[fallthrough]];
            case Part::line_end:
                open_ = false;
                if (++between_ > kMostBetween) examine();
                return;
            case Part::other:
                examine();
        }
    }

    // What was gathered so far, which nothing can continue.
    void examine() {
        if (digits_.size() >= kFewestPanDigits)
            for (size_t i = 0; i < groups_.size();) i += window(i);
        groups_.clear();
        digits_.clear();
        open_ = false;
        between_ = 0;
        only_lines_ = true;
    }

    // Takes the longest number that begins with this group; returns how many groups to go on.
    size_t window(size_t from) {
        uint8_t sizes[kMostPanDigits];
        size_t count = 0, digits = 0, best = 0;
        for (size_t i = from; i < groups_.size() && count < kMostPanDigits; ++i) {
            if (groups_[i].count > kMostPanDigits) break;
            digits += groups_[i].count;
            sizes[count++] = static_cast<uint8_t>(groups_[i].count);
            if (digits > kMostPanDigits) break;
            if (digits >= kFewestPanDigits && is_number(from, sizes, count, digits)) best = count;
        }
        if (count == 0) best = alone(groups_[from]) ? 1 : 0;
        if (best == 0) return 1;
        out_->push_back({groups_[from].begin, groups_[from + best - 1].end});
        return best;
    }

    bool is_number(size_t from, const uint8_t *sizes, size_t count, size_t digits) {
        if (count == 1) return alone(groups_[from]);
        const bool wrapped = count == 2 && groups_[from + 1].wrapped;
        if (!wrapped && !is_card_grouping(sizes, count)) return false;
        // Single digits and pairs are only believed as a whole: every window of a long row would
        // do.
        if (sizes[0] <= 2 && !is_whole_row(from, count, sizes[0])) return false;
        const Span span = {groups_[from].begin, groups_[from + count - 1].end};
        return believed(span, &digits_[groups_[from].first], digits);
    }

    bool is_whole_row(size_t from, size_t count, size_t size) const {
        if (from > 0 && groups_[from - 1].count == size) return false;
        return from + count == groups_.size() || groups_[from + count].count != size;
    }

    // One group, however many zeros it begins with.
    bool alone(const Group &group) {
        size_t zeros = 0;
        while (zeros < group.count && digits_[group.first + zeros] == 0) ++zeros;
        const size_t count = group.count - zeros;
        // One zero before fifteen digits is part of an identifier more often than padding.
        if (zeros > 0 && zeros < kPadding && count < 16) return false;
        return count >= kFewestPanDigits && count <= kMostPanDigits &&
               believed({group.begin, group.end}, &digits_[group.first + zeros], count);
    }

    bool believed(Span span, const uint8_t *digits, size_t count) {
        if (!is_pan(digits, count, context_) &&
            !(is_pan(digits, count, true) && speaks_of_cards(text_, span)))
            return false;
        // International phone numbers look like Maestro's.
        if (span.begin > 0 && text_[span.begin - 1] == '+' && count <= kLongestPhone &&
            (digits[0] == 5 || digits[0] == 6))
            return false;
        return !is_fraction(text_, span) && !is_in_digest(text_, span) && !is_in_iban(text_, span);
    }

    std::string_view text_;
    bool context_;
    std::vector<Span> *out_;
    std::vector<Group> groups_;
    std::vector<uint8_t> digits_;
    bool open_ = false, only_lines_ = true;
    size_t between_ = 0;
};

}  // namespace

bool is_card_grouping(const uint8_t *sizes, size_t count) noexcept {
    const auto are = [&](std::initializer_list<uint8_t> wanted) {
        size_t i = 0;
        if (wanted.size() != count) return false;
        for (uint8_t size : wanted)
            if (sizes[i++] != size) return false;
        return true;
    };
    if (count == 1) return true;
    const uint8_t last = sizes[count - 1];
    if (count >= 3 && all_are(sizes, count - 1, 4) && last <= 4) return true;
    if (all_are(sizes, count, 1)) return true;
    if (count >= 6 && all_are(sizes, count - 1, 2) && last <= 2) return true;
    return are({4, 6, 5}) || are({4, 6, 4}) || are({4, 4, 5}) || are({4, 3, 3, 3}) || are({8, 8}) ||
           are({6, 13}) || are({4, 4, 4, 6}) || are({4, 4, 4, 7});
}

bool speaks_of_cards(std::string_view text, Span span) noexcept {
    const size_t from = span.begin > kNearby ? span.begin - kNearby : 0;
    const size_t to = text.size() - span.end > kNearby ? span.end + kNearby : text.size();
    static constexpr std::string_view kWords[] = {"card",   "visa",  "amex",  "maestro", "unionpay",
                                                  "credit", "debit", "karte", "carte",   "tarjeta"};
    for (size_t at = from; at < to; ++at) {
        if (at == span.begin) at = span.end;
        for (std::string_view word : kWords)
            if (at < to && begins_with(text, at, word)) return true;
    }
    return false;
}

void find_pans(std::string_view text, bool card_context, std::vector<Span> *out) {
    Finder(text, card_context, out).run();
}

bool is_pan_text(std::string_view ascii_digits, bool card_context) noexcept {
    while (!ascii_digits.empty() && ascii_digits[0] == '0') ascii_digits.remove_prefix(1);
    if (ascii_digits.size() < kFewestPanDigits || ascii_digits.size() > kMostPanDigits)
        return false;
    uint8_t digits[kMostPanDigits];
    for (size_t i = 0; i < ascii_digits.size(); ++i)
        digits[i] = static_cast<uint8_t>(ascii_digits[i] - '0');
    return is_pan(digits, ascii_digits.size(), card_context);
}

}  // namespace aegis::core
