// SPDX-License-Identifier: Apache-2.0
// One JSON value (RFC 8259), looked into where it stands: what is not replaced keeps its bytes,
// numbers every digit. The names of fields decide first, then what strings, names and numbers hold,
// then what successive short ones give together.
#include <algorithm>

#include "core/scrub_decode.hpp"
#include "core/scrub_iin.hpp"
#include "core/scrub_key.hpp"
#include "core/scrub_ladder.hpp"
#include "core/scrub_look.hpp"
#include "core/scrub_number.hpp"

namespace aegis::core {

namespace {

constexpr int kDeepestNesting = 128;
constexpr size_t kLongestPart = 8;      // digits of one part of a number that is spread over fields
constexpr size_t kMostSiblings = 16;    // of an object, that may say that it is about a card
constexpr size_t kLongestSibling = 24;  // bytes of their names and values
constexpr size_t kLongestExponent = 3;  // digits
constexpr size_t kMostEscaped = 6 * (kLongestPointer + 4);  // bytes that give as many as that

struct NotJson {};

std::string quoted(std::string_view text) {
    static const char kHex[] = "0123456789abcdef";
    std::string out = "\"";
    for (char c : text) {
        const auto byte = static_cast<uint8_t>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        } else {
            out += c;
        }
    }
    return out += '"';
}

std::string quoted_mark(CardData kind) {
    return '"' + std::string(card_data_mark(kind)) + '"';
}

struct Step {  // of the path to a value
    std::string_view key;
    size_t index;  // used when `key` has no data
};

// The digits of a number when it is a whole one: exponent and empty fraction worked in. Empty when
// not.
std::string whole_digits(std::string_view lexeme) {
    if (lexeme[0] == '-') lexeme.remove_prefix(1);
    const size_t e = std::min(lexeme.find_first_of("eE"), lexeme.size());
    const size_t point = std::min(lexeme.find('.'), e);
    std::string digits(lexeme.substr(0, point));
    std::string_view fraction;
    if (point < e) fraction = lexeme.substr(point + 1, e - point - 1);
    if (e < lexeme.size()) {
        std::string_view written = lexeme.substr(e + 1);
        const bool negative = written[0] == '-';
        if (written[0] == '-' || written[0] == '+') written.remove_prefix(1);
        while (written.size() > 1 && written[0] == '0') written.remove_prefix(1);
        if (written.size() > kLongestExponent) return {};
        size_t exponent = 0;
        for (char c : written) exponent = exponent * 10 + static_cast<size_t>(c - '0');
        if (negative) {
            while (exponent > 0 && digits.size() > 1 && digits.back() == '0') {
                digits.pop_back();
                --exponent;
            }
            if (exponent > 0) return {};
        } else {
            const size_t moved = std::min(exponent, fraction.size());
            digits += fraction.substr(0, moved);
            fraction.remove_prefix(moved);
            if (exponent - moved > kMostPanDigits) return {};
            digits.append(exponent - moved, '0');
        }
    }
    // What has a fraction counts by its whole part, if that is long enough to be a number itself.
    const bool exact = fraction.find_first_not_of('0') == std::string_view::npos;
    return exact || point >= kFewestPanDigits ? digits : std::string();
}

class Walker {
 public:
    Walker(std::string_view text, const Around &around, Edits *edits)
        : text_(text), around_(around), edits_(edits) {}

    void run() {
        blanks();
        value(KeyRule(), {}, around_.card);
        blanks();
        if (at_ != text_.size()) throw NotJson{};
    }

 private:
    struct Part {  // a short run of digits, in a string or a number
        size_t begin, end;
        std::string_view digits;
        Step step;  // from its container to it
    };
    struct Sibling {
        std::string_view key, value;
    };

    char next() const {
        if (at_ == text_.size()) throw NotJson{};
        return text_[at_];
    }

    void blanks() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' ||
                                      text_[at_] == '\t' || text_[at_] == '\r'))
            ++at_;
    }

    void expect(char c) {
        if (next() != c) throw NotJson{};
        ++at_;
    }

    // What stands between the quotes; at_ is at the first one.
    std::string_view string(Look *look) {
        expect('"');
        *look = look_at_string(text_.substr(at_));
        if (look->size == std::string_view::npos || (look->seen & kLookControl)) throw NotJson{};
        const std::string_view inside = text_.substr(at_, look->size);
        at_ += look->size + 1;
        return inside;
    }

    std::string pointer() const {
        std::string out;
        for (const Step &step : path_) {
            // Every finding has one: of a long name they would take many times the text's size.
            if (out.size() > kLongestPointer) break;
            out += '/';
            if (step.key.data() == nullptr) {
                out += std::to_string(step.index);
                continue;
            }
            for (char c : decode_json_string(step.key.substr(0, kMostEscaped))) {
                if (c == '~')
                    out += "~0";
                else if (c == '/')
                    out += "~1";
                else
                    out += c;
            }
        }
        if (out.size() <= kLongestPointer) return out;
        size_t end = kLongestPointer;
        while (end > 0 && (static_cast<uint8_t>(out[end]) & 0xC0) == 0x80) --end;
        out.resize(end);
        return out;
    }

    void add(size_t begin, size_t end, CardData kind, std::string replacement, uint8_t kinds = 0) {
        Edit edit = mark(begin, end, kind);
        edit.kinds |= kinds;
        edit.replacement = std::move(replacement);
        edit.pointer = pointer();
        edits_->push_back(std::move(edit));
    }

    // Replaces what a string holds; true when something was.
    bool scan_string(std::string_view inside, const Look &look, bool card) {
        if (!deserves_a_scan(look, inside)) return false;
        std::string decoded;
        std::string_view plain = inside;
        if (look.seen & kLookEscape) {
            decoded = decode_json_string(inside);
            plain = decoded;
        }
        Around around = around_;
        around.card |= card;
        Edits inner;
        if (look.seen & kLookEscape)
            scan_text(plain, around, &inner);
        else
            scan_text(plain, look, around, &inner);
        if (inner.empty()) return false;
        settle(&inner);
        uint8_t kinds = 0;
        for (const Edit &one : inner) kinds |= one.kinds;
        const size_t begin = static_cast<size_t>(inside.data() - text_.data());
        add(begin - 1, begin + inside.size() + 1, inner[0].kind, quoted(apply(plain, inner)),
            kinds);
        return true;
    }

    // The digits of a number that is too long for a card's may be the hexadecimal of one: they are
    // a text like any other.
    void scan_long_number(size_t begin, std::string_view digits, bool card) {
        Around around = around_;
        around.card |= card;
        Edits inner;
        scan_text(digits, around, &inner);
        if (inner.empty()) return;
        settle(&inner);
        uint8_t kinds = 0;
        for (const Edit &one : inner) kinds |= one.kinds;
        add(begin, at_, inner[0].kind, quoted_mark(inner[0].kind), kinds);
    }

    std::string_view number() {
        const size_t begin = at_;
        if (next() == '-') ++at_;
        const auto digits = [&] {
            const size_t from = at_;
            while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
            if (at_ == from) throw NotJson{};
        };
        if (next() == '0')
            ++at_;
        else
            digits();
        if (at_ < text_.size() && text_[at_] == '.') {
            ++at_;
            digits();
        }
        if (at_ < text_.size() && (text_[at_] | 0x20) == 'e') {
            ++at_;
            if (next() == '+' || next() == '-') ++at_;
            digits();
        }
        return text_.substr(begin, at_ - begin);
    }

    void literal(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) throw NotJson{};
        at_ += word.size();
    }

    // A value whose field is ruled by its name: dropped whole, unless there is nothing in it.
    void dropped(const KeyRule &rule) {
        const size_t begin = at_;
        const size_t edits = edits_->size();
        value(KeyRule(), {}, true);
        const std::string_view whole = text_.substr(begin, at_ - begin);
        const bool empty = whole == "null" || whole == "true" || whole == "false" ||
                           whole == "\"\"" || whole == "[]" || whole == "{}";
        const bool masked = rule.kind == KeyClass::number && whole[0] == '"' &&
                            is_masked_number(whole.substr(1, whole.size() - 2));
        if (empty || masked) return;
        edits_->resize(edits);
        add(begin, at_, CardData::key, quoted_mark(CardData::key));
    }

    // `part` receives the digits of a short value, for its container.
    void value(const KeyRule &rule, std::string_view key, bool card, Part *part = nullptr) {
        if (rule.kind != KeyClass::none && !rule.needs_card) return dropped(rule);
        const size_t begin = at_;
        switch (next()) {
            case '{':
                return object(card || names_a_card(key));
            case '[':
                return array(card || names_a_card(key));
            case '"': {
                Look look;
                const std::string_view inside = string(&look);
                if (part != nullptr && look.run == inside.size() && inside.size() <= kLongestPart)
                    *part = {begin, at_, inside, path_.back()};
                if (look.run < kFewestPanDigits || !is_reference(key, inside))
                    scan_string(inside, look, card || around_card(key, look));
                return;
            }
            case 't':
                return literal("true");
            case 'f':
                return literal("false");
            case 'n':
                return literal("null");
            default: {
                const std::string_view lexeme = number();
                if (part != nullptr && lexeme.size() <= kLongestPart &&
                    lexeme.find_first_not_of("0123456789") == std::string_view::npos)
                    *part = {begin, at_, lexeme, path_.back()};
                if (lexeme.size() < 5) return;  // 4e15 is as short as it gets
                const bool exponent = lexeme.find_first_of("eE") != std::string_view::npos;
                if (lexeme.size() < kFewestPanDigits && !exponent) return;
                // As what it means, and as what it looks like.
                const std::string_view written = lexeme.substr(
                    lexeme[0] == '-' ? 1 : 0, lexeme.find_first_of(".eE") - (lexeme[0] == '-'));
                const bool about_card = card || names_a_card(key);
                if (is_pan_text(whole_digits(lexeme), about_card) ||
                    is_pan_text(written, about_card))
                    add(begin, at_, CardData::pan, quoted_mark(CardData::pan));
                else if (written.size() > kMostPanDigits)
                    scan_long_number(begin, written, about_card);
            }
        }
    }

    // Only what could be believed with the help of its field's name needs to have it looked at.
    static bool around_card(std::string_view key, const Look &look) {
        return look.run >= kFewestPanDigits && names_a_card(key);
    }

    // Parts from `from` on give a card number together: replaces each.
    void join(size_t from) {
        const size_t count = parts_.size() - from;
        uint8_t sizes[kMostPanDigits];
        std::string digits;
        bool fits = count >= 2 && count <= kMostPanDigits;
        for (size_t i = 0; fits && i < count; ++i) {
            sizes[i] = static_cast<uint8_t>(parts_[from + i].digits.size());
            digits += parts_[from + i].digits;
            fits = digits.size() <= kMostPanDigits;
        }
        if (fits && is_card_grouping(sizes, count) && is_pan_text(digits, false))
            for (size_t i = from; i < parts_.size(); ++i) {
                path_.push_back(parts_[i].step);
                add(parts_[i].begin, parts_[i].end, CardData::pan, quoted_mark(CardData::pan));
                path_.pop_back();
            }
        parts_.resize(from);
    }

    void descend() {
        if (++nesting_ > kDeepestNesting) throw NotJson{};
    }

    void array(bool card) {
        descend();
        expect('[');
        blanks();
        const size_t parts = parts_.size();
        bool all_parts = true;
        if (next() == ']') {
            ++at_;
        } else {
            for (size_t index = 0;; ++index) {
                path_.push_back({{}, index});
                Part part = {0, 0, {}, {}};
                value(KeyRule(), {}, card, &part);
                path_.pop_back();
                all_parts &= !part.digits.empty() && parts_.size() - parts <= kMostPanDigits;
                if (all_parts) parts_.push_back(part);
                blanks();
                const char c = next();
                ++at_;
                if (c == ']') break;
                if (c != ',') throw NotJson{};
                blanks();
            }
        }
        if (!all_parts) parts_.resize(parts);
        join(parts);
        --nesting_;
    }

    // "card1" and "card_2" have the stem "card"; no stem without a digit.
    static std::string_view stem_of(std::string_view key) {
        size_t size = key.size();
        while (size > 0 && key[size - 1] >= '0' && key[size - 1] <= '9') --size;
        if (size == key.size() || size == 0) return {};
        while (size > 1 && (key[size - 1] == '_' || key[size - 1] == '-')) --size;
        return key.substr(0, size);
    }

    void object(bool card) {
        descend();
        expect('{');
        blanks();
        const size_t parts = parts_.size(), pending = pending_.size(), siblings = siblings_.size();
        std::string_view stem;
        bool about_card = card;
        if (next() == '}') {
            ++at_;
        } else {
            for (;;) {
                field(card, &about_card, parts, siblings, &stem);
                blanks();
                const char c = next();
                ++at_;
                if (c == '}') break;
                if (c != ',') throw NotJson{};
                blanks();
            }
        }
        join(parts);
        if (pending_.size() > pending) {
            for (size_t i = siblings; i < siblings_.size() && !about_card; ++i)
                about_card = is_card_brand(siblings_[i].key, siblings_[i].value);
            if (about_card)
                std::move(pending_.begin() + static_cast<std::ptrdiff_t>(pending), pending_.end(),
                          std::back_inserter(*edits_));
        }
        pending_.resize(pending);
        siblings_.resize(siblings);
        --nesting_;
    }

    void field(bool card, bool *about_card, size_t parts, size_t siblings, std::string_view *stem) {
        Look look;
        const std::string_view key = string(&look);
        const bool hidden = scan_string(key, look, card);
        std::string decoded;
        std::string_view name = key;
        if (look.seen & kLookEscape) {
            decoded = decode_json_string(key);
            name = decoded;
        }
        path_.push_back({hidden ? card_data_mark(edits_->back().kind) : key, 0});
        blanks();
        expect(':');
        blanks();
        const KeyRule rule = around_.keys ? key_rule(name) : KeyRule();
        if (rule.kind != KeyClass::none && !rule.needs_card) *about_card = true;
        const size_t begin = at_;
        Part part = {0, 0, {}, {}};
        value(rule, name, card, &part);
        const std::string_view whole = text_.substr(begin, at_ - begin);
        if (rule.needs_card && whole[0] != 'n' && whole[0] != 't' && whole[0] != 'f' &&
            whole.size() > 2 && !is_masked(rule, whole)) {
            Edit edit = mark(begin, at_, CardData::key);
            edit.replacement = quoted_mark(CardData::key);
            edit.pointer = pointer();
            pending_.push_back(std::move(edit));
        }
        path_.pop_back();
        if (whole[0] == '"' && key.size() <= kLongestSibling && whole.size() <= kLongestSibling &&
            whole.size() > 3 && siblings_.size() - siblings < kMostSiblings)
            siblings_.push_back({key, whole.substr(1, whole.size() - 2)});
        if (part.digits.empty()) return;
        const std::string_view now = stem_of(key);
        if (now.empty() || now != *stem) join(parts);
        *stem = now;
        if (!now.empty() && parts_.size() - parts <= kMostPanDigits) parts_.push_back(part);
    }

    static bool is_masked(const KeyRule &rule, std::string_view whole) {
        return rule.kind == KeyClass::number && whole[0] == '"' &&
               is_masked_number(whole.substr(1, whole.size() - 2));
    }

    std::string_view text_;
    Around around_;
    Edits *edits_;
    size_t at_ = 0;
    int nesting_ = 0;
    std::vector<Step> path_;
    std::vector<Part> parts_;
    std::vector<Sibling> siblings_;
    Edits pending_;
};

}  // namespace

bool scan_json(std::string_view text, const Around &around, Edits *edits) {
    if (!begins_like_json(text)) return false;
    const size_t before = edits->size();
    try {
        Walker(text, around, edits).run();
        return true;
    } catch (const NotJson &) {
        edits->resize(before);
        return false;
    }
}

}  // namespace aegis::core
