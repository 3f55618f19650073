// SPDX-License-Identifier: Apache-2.0
// One pass over the bytes turns them into characters, whatever they are written as. Digits are kept
// in two running sums, so that the check digit of any stretch is one subtraction; stretches are
// tried where groups of digits begin and end.
#include "core/scrub_verify.hpp"

#include <utf8proc.h>

#include <iterator>
#include <string>
#include <vector>

namespace aegis::core {

namespace {

constexpr size_t kFewest = 13, kMost = 19;  // digits that are believed without any context
constexpr size_t kLongestWord = 31;         // longer ones with digits in them are digests
constexpr size_t kIban = 40;                // bytes before a number in which one may begin
constexpr int kDeepest = 2;                 // encodings inside encodings

bool digit(unsigned c) {
    return c - '0' < 10;
}
bool letter(unsigned c) {
    return (c | 32) - 'a' < 26;
}
int hex(unsigned c) {
    if (digit(c)) return static_cast<int>(c - '0');
    const unsigned low = c | 32;
    return low - 'a' < 6 ? static_cast<int>(low - 'a' + 10) : -1;
}

// Networks by arithmetic on the first digits: those whose numbers have a check digit.
bool issued(uint32_t six, size_t count) {
    const uint32_t four = six / 100, three = six / 1000, two = six / 10000, one = six / 100000;
    // Discover, RuPay, UnionPay, Maestro and the like, of many lengths.
    const bool six_series = two == 60 || (two >= 62 && two <= 65) || two == 67;
    switch (count) {
        case 13:
            return one == 4 || two == 50 || (two >= 56 && two <= 59) || two == 60 ||
                   (two >= 63 && two <= 65) || two == 67;
        case 14:
            return (three >= 300 && three <= 305) || four == 3095 || two == 36 || two == 38 ||
                   two == 39 || six_series || two == 50 || (two >= 56 && two <= 59);
        case 15:
            return two == 34 || two == 37 || six_series || two == 50 || (two >= 56 && two <= 59);
        case 16:
            return one == 4 || one == 5 || six_series || (four >= 2221 && four <= 2720) ||
                   (four >= 3528 && four <= 3589) || (four >= 2200 && four <= 2205) || two == 36 ||
                   (three >= 300 && three <= 305) || two == 38 || two == 39 || four == 9792 ||
                   (four >= 3088 && four <= 3094);
        default:
            return (one == 4 && count >= 18) || six_series || two == 50 ||
                   (two >= 56 && two <= 59) || (four >= 3528 && four <= 3589);
    }
}

class Judge {
 public:
    explicit Judge(ByteView bytes, int depth) : bytes_(bytes), depth_(depth) {}

    bool finds() {
        while (at_ < bytes_.size && !found_) {
            const size_t from = at_;
            take(character(), from);
        }
        end_number();
        end_word(bytes_.size);
        return found_;
    }

 private:
    struct Group {
        size_t first, count;  // among the digits
        unsigned between;     // the one character before it; 0: none, or several
    };

    unsigned byte(size_t i) const { return i < bytes_.size ? bytes_.data[i] : 0; }

    // The next character and past it: as written, or as \u…, %…, &#…; say.
    unsigned character() {
        const unsigned c = byte(at_);
        size_t size = 1;
        unsigned value = c;
        if (c == '\\' && byte(at_ + 1) == 'u') {
            int number = 0;
            for (size_t i = 2; i < 6; ++i) {
                const int next = hex(byte(at_ + i));
                number = next < 0 || number < 0 ? -1 : number * 16 + next;
            }
            if (number >= 0) {
                value = static_cast<unsigned>(number);
                size = 6;
            }
        } else if (c == '%' && hex(byte(at_ + 1)) >= 0 && hex(byte(at_ + 2)) >= 0) {
            const auto written =
                static_cast<unsigned>(hex(byte(at_ + 1)) * 16 + hex(byte(at_ + 2)));
            // A track begins with %B and the number: no character begins with such a byte.
            if (written < 0xB0 || written > 0xB9 || (at_ >= 3 && byte(at_ - 3) == '%')) {
                value = written;
                size = 3;
            }
        } else if (c == '&' && byte(at_ + 1) == '#') {
            const bool sixteen = (byte(at_ + 2) | 32) == 'x';
            unsigned number = 0;
            size_t i = at_ + (sixteen ? 3 : 2);
            const size_t from = i;
            for (; i < from + 6 && (sixteen ? hex(byte(i)) >= 0 : digit(byte(i))); ++i)
                number = number * (sixteen ? 16 : 10) + static_cast<unsigned>(hex(byte(i)));
            if (i > from && byte(i) == ';') {
                value = number;
                size = i + 1 - at_;
            }
        } else if (c >= 0x80) {
            utf8proc_int32_t point;
            const utf8proc_ssize_t got = utf8proc_iterate(
                bytes_.data + at_, static_cast<utf8proc_ssize_t>(bytes_.size - at_), &point);
            if (got > 0) {
                value = static_cast<unsigned>(point);
                size = static_cast<size_t>(got);
            }
        }
        at_ += size;
        return value;
    }

    // 0 to 9; 10: no digit. Decimal digits of a script follow each other from zero on.
    static unsigned digit_value(unsigned c) {
        if (c < 0x80) return digit(c) ? c - '0' : 10;
        const auto is_decimal = [](unsigned point) {
            return utf8proc_category(static_cast<utf8proc_int32_t>(point)) == UTF8PROC_CATEGORY_ND;
        };
        if (!is_decimal(c)) return 10;
        unsigned steps = 0;
        while (steps < 50 && is_decimal(c - steps - 1)) ++steps;
        return steps % 10;
    }

    static bool invisible(unsigned c) {
        return c == 0xAD || (c >= 0x200B && c <= 0x200D) || c == 0x2060 || c == 0xFEFF;
    }

    static bool joins(unsigned c) {
        return c == ' ' || c == '-' || c == '.' || c == '_' || c == '/' || c == 0xA0 ||
               c == 0x202F || c == 0x2007 || c == 0x2009 || (c >= 0x2010 && c <= 0x2013);
    }

    void take(unsigned c, size_t from) {
        const bool in_word =
            c < 0x80 && (digit(c) || letter(c) || c == '+' || c == '/' || c == '-' || c == '_');
        if (in_word && !word_open_) word_begin_ = from;
        if (!in_word && word_open_) end_word(from);
        word_open_ = in_word;

        const unsigned value = digit_value(c);
        if (value < 10) {
            if (!in_group_) begin_group(from);
            even_.push_back(even_.back() + (even_.size() % 2 == 0 ? value : folded(value)));
            odd_.push_back(odd_.back() + (odd_.size() % 2 == 0 ? folded(value) : value));
            digits_.push_back(static_cast<uint8_t>(value));
            groups_.back().count++;
            last_ = from;
        } else if (invisible(c)) {
            return;
        } else if (in_group_ && joins(c)) {
            in_group_ = false;
            between_ = c;
        } else if (!digits_.empty()) {
            if (in_group_) track(c, from);
            end_number();
        }
        if (c == ':' || c == '=') named(from);
    }

    static unsigned folded(unsigned value) { return value > 4 ? value * 2 - 9 : value * 2; }

    void begin_group(size_t from) {
        if (groups_.empty()) begin_ = from;
        groups_.push_back({digits_.size(), 0, between_});
        in_group_ = true;
        between_ = 0;
    }

    // The check digit of digits [first, first + count): the last one counts once, the one before
    // it twice, and so on.
    bool checks(size_t first, size_t count) const {
        const size_t end = first + count;
        // even_ counts digits at odd places (from 0) once; the last of the stretch must be counted
        // so.
        const std::vector<unsigned> &sums = end % 2 == 0 ? even_ : odd_;
        return (sums[end] - sums[first]) % 10 == 0;
    }

    bool is_card(size_t first, size_t count) const {
        if (count < kFewest || count > kMost || !checks(first, count)) return false;
        uint32_t six = 0;
        for (size_t i = 0; i < 6; ++i) six = six * 10 + digits_[first + i];
        return issued(six, count);
    }

    void end_number() {
        if (digits_.size() >= kFewest && !excused())
            for (size_t i = 0; i < groups_.size() && !found_; ++i) try_groups(i);
        even_.assign(1, 0);
        odd_.assign(1, 0);
        digits_.clear();
        groups_.clear();
        in_group_ = false;
        between_ = 0;
    }

    void try_groups(size_t from) {
        const Group &first = groups_[from];
        const bool fraction = first.between == '.';
        if (!fraction && is_card(first.first, first.count)) found_ = true;
        if (first.count != 4 || fraction) return;
        size_t count = 4;
        bool all_fours = true;
        for (size_t i = from + 1; i < groups_.size(); ++i) {
            const size_t now = groups_[i].count;
            count += now;
            if (groups_[i].between != groups_[from + 1].between || now > 6 || count > kMost) return;
            const bool fours = all_fours && i >= from + 3 && now <= 4;
            const bool amex = i == from + 2 && groups_[i - 1].count == 6 && now == 5;
            if ((fours || amex) && is_card(first.first, count)) found_ = true;
            all_fours &= now == 4;
            if (now != 4 && !(now == 6 && i == from + 1)) return;
        }
    }

    // Numbers that the scrubber knows to be something else: digests, IBANs, telephone numbers.
    bool excused() const {
        if (begin_ > 0 && byte(begin_ - 1) == '+') return true;
        size_t from = begin_, to = last_ + 1;
        while (from > 0 && begin_ - from <= kLongestWord &&
               (digit(byte(from - 1)) || letter(byte(from - 1))))
            --from;
        while (to - last_ <= kLongestWord + 1 && (digit(byte(to)) || letter(byte(to)))) ++to;
        const bool lettered = from < begin_ || to > last_ + 1;
        if (lettered && to - from > kLongestWord) return true;
        const size_t start = begin_ > kIban ? begin_ - kIban : 0;
        const auto capital = [&](size_t i) { return byte(i) >= 'A' && byte(i) <= 'Z'; };
        for (size_t i = start; i < begin_; ++i)
            if (capital(i) && capital(i + 1) && (digit(byte(i + 2)) || i + 2 == begin_) &&
                (i == 0 || !letter(byte(i - 1))))
                return true;
        return false;
    }

    // 13 to 19 digits, then "=" or "D" or "^…^", then four digits of a date and three more.
    void track(unsigned c, size_t from) {
        const size_t count = groups_.back().count;
        if (count < kFewest || count > kMost) return;
        for (size_t i = 1; i <= count; ++i)
            if (i > from || !digit(byte(from - i))) return;
        size_t at = from + 1;
        if (c == '^') {
            size_t name = 0;
            while (name < 27 && byte(at) != '^' && byte(at) != 0) ++at, ++name;
            if (name < 2 || byte(at) != '^') return;
            ++at;
        } else if (c != '=' && c != 'D') {
            return;
        }
        for (size_t i = 0; i < 7; ++i)
            if (!digit(byte(at + i))) return;
        const unsigned month = (byte(at + 2) - '0') * 10 + byte(at + 3) - '0';
        if (month >= 1 && month <= 12 && (c != '^' || is_card(groups_.back().first, count)))
            found_ = true;
    }

    // A name before this ":" or "=" that means a verification code, and a code behind it.
    void named(size_t colon) {
        size_t end = colon;
        while (end > 0 && (byte(end - 1) == ' ' || byte(end - 1) == '"')) --end;
        char name[24];
        size_t size = 0, at = end;
        while (at > 0 && (letter(byte(at - 1)) || digit(byte(at - 1)) || byte(at - 1) == '_')) {
            --at;
            if (byte(at) == '_') continue;
            if (size == sizeof name) return;
            name[size++] = static_cast<char>(letter(byte(at)) ? byte(at) | 32 : byte(at));
        }
        const std::string spelled(std::reverse_iterator<char *>(name + size),
                                  std::reverse_iterator<char *>(name));
        static constexpr std::string_view kNames[] = {
            "cvv", "cvv2", "cvc", "cvc2", "cardcode", "cardsecuritycode", "cardverificationcode"};
        bool known = false;
        for (std::string_view one : kNames) known |= std::string_view(spelled) == one;
        if (!known) return;
        at = colon + 1;
        while (byte(at) == ' ' || byte(at) == '"') ++at;
        size_t digits = 0;
        while (digit(byte(at + digits))) ++digits;
        const unsigned after = byte(at + digits);
        const bool ends = at + digits >= bytes_.size || after == '"' || after == ',' ||
                          after == ' ' || after == '}' || after == '&' || after == '\n';
        if ((digits == 3 || digits == 4) && ends) found_ = true;
    }

    // Base64 and hexadecimal: what a word decodes to, when that is text.
    void end_word(size_t end) {
        if (!word_open_ || found_ || depth_ == kDeepest) return;
        const ByteView word = bytes_.slice(word_begin_, end - word_begin_);
        if (word.size < 16) return;
        std::string text;
        if ((from_hex(word, &text) && judged(text)) || (from_base64(word, &text) && judged(text)))
            found_ = true;
    }

    bool judged(const std::string &text) const { return Judge(as_bytes(text), depth_ + 1).finds(); }

    static bool printable(unsigned c) { return (c >= ' ' && c < 0x7F) || c == '\n' || c == '\t'; }

    static bool from_hex(ByteView word, std::string *out) {
        out->clear();
        for (size_t i = 0; i + 1 < word.size; i += 2) {
            const int high = hex(word.data[i]), low = hex(word.data[i + 1]);
            if (high < 0 || low < 0 || !printable(static_cast<unsigned>(high * 16 + low)))
                return false;
            *out += static_cast<char>(high * 16 + low);
        }
        return word.size % 2 == 0;
    }

    static bool from_base64(ByteView word, std::string *out) {
        static constexpr char kDigits[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        out->clear();
        unsigned held = 0;
        for (size_t i = 0; i < word.size; ++i) {
            unsigned c = word.data[i];
            if (c == '-') c = '+';
            if (c == '_') c = '/';
            const char *place = c == 0 ? nullptr : strchr(kDigits, static_cast<int>(c));
            if (place == nullptr) return false;
            held = held << 6 | static_cast<unsigned>(place - kDigits);
            if (i % 4 == 0) continue;
            const unsigned made = held >> (6 - i % 4 * 2) & 0xFF;
            if (!printable(made)) return false;
            *out += static_cast<char>(made);
        }
        return word.size % 4 != 1;
    }

    ByteView bytes_;
    int depth_;
    size_t at_ = 0, begin_ = 0, last_ = 0, word_begin_ = 0;
    bool found_ = false, in_group_ = false, word_open_ = false;
    unsigned between_ = 0;
    std::vector<unsigned> even_{0}, odd_{0};
    std::vector<uint8_t> digits_;
    std::vector<Group> groups_;
};

}  // namespace

bool is_free_of_card_data(ByteView bytes) {
    return !Judge(bytes, 0).finds();
}

}  // namespace aegis::core
