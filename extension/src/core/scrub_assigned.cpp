// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/scrub_digit.hpp"
#include "core/scrub_key.hpp"
#include "core/scrub_ladder.hpp"

namespace aegis::core {

namespace {

constexpr size_t kLongestName = 48, kLongestValue = 256, kNearby = 64;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_name(char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '[' || c == ']';
}

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// The name that ends before `end`, past quotes, blanks and attributes' ends.
std::string_view name_before(std::string_view text, size_t end) {
    while (end > 0 && (is_blank(text[end - 1]) || text[end - 1] == '"' || text[end - 1] == '\''))
        --end;
    size_t begin = end;
    while (begin > 0 && end - begin < kLongestName && is_name(text[begin - 1])) --begin;
    return text.substr(begin, end - begin);
}

size_t count_digits(std::string_view value) {
    return static_cast<size_t>(std::count_if(value.begin(), value.end(), is_digit));
}

// A month and a year in any order, or one of them: nothing else than digits, "/", "-" and ".".
bool is_expiry(std::string_view value) {
    const size_t digits = count_digits(value);
    if (digits < 1 || digits > 6 || value.size() > 7) return false;
    return std::all_of(value.begin(), value.end(),
                       [](char c) { return is_digit(c) || c == '/' || c == '-' || c == '.'; });
}

// Prose uses some of the names with other meanings: what stands behind them decides.
bool fits(KeyClass kind, std::string_view value) {
    const size_t digits = count_digits(value);
    switch (kind) {
        case KeyClass::number:
            return digits >= 8 && !is_masked_number(value);
        case KeyClass::code:
            return digits >= 3 && digits <= 4 && value.size() == digits;
        case KeyClass::expiry:
            return is_expiry(value);
        case KeyClass::track:
            return digits >= 8;
        case KeyClass::pin:
            return digits >= 4 && digits == value.size() && digits <= 12;
        case KeyClass::holder:
            return std::any_of(value.begin(), value.end(), is_letter);
        case KeyClass::none:
            return false;
    }
    return false;
}

struct Value {
    size_t begin, end;
};

// What an assignment at `at` (the character behind "=" or ":") gives.
Value value_at(std::string_view text, size_t at, bool element) {
    const size_t last = character_end(text, std::min(text.size(), at + kLongestValue));
    if (element) {
        const size_t length = text.substr(at, last - at).find('<');
        return {at, length == std::string_view::npos ? last : at + length};
    }
    while (at < last && (is_blank(text[at]) || text[at] == '"' || text[at] == '\'')) ++at;
    size_t end = at;
    while (end < last && !is_blank(text[end]) && text[end] != '"' && text[end] != '\'' &&
           text[end] != '&' && text[end] != ';' && text[end] != ',' && text[end] != '<' &&
           text[end] != '\r' && text[end] != '\n' && text[end] != '}' && text[end] != ')')
        ++end;
    return {at, end};
}

// What stands behind `at`, if the name before says that it is card data.
void take(std::string_view text, std::string_view name, size_t at, bool element, Edits *edits) {
    const KeyRule rule = key_rule(name);
    if (rule.kind == KeyClass::none || rule.needs_card) return;
    const Value value = value_at(text, at, element);
    if (value.begin >= value.end) return;
    if (fits(rule.kind, text.substr(value.begin, value.end - value.begin)))
        edits->push_back(mark(value.begin, value.end, CardData::key));
}

// "12/29", "1/2029", "2029-12" at `at`; its length, or 0.
size_t date_at(std::string_view text, size_t at) {
    size_t end = at;
    while (end < text.size() && end - at < 8 &&
           (is_digit(text[end]) || text[end] == '/' || text[end] == '-'))
        ++end;
    const std::string_view word = text.substr(at, end - at);
    const size_t split = word.find_first_of("/-");
    if (split == std::string_view::npos ||
        word.find_first_of("/-", split + 1) != std::string_view::npos)
        return 0;
    const size_t after = word.size() - split - 1;
    const bool month_first = split <= 2 && split > 0 && (after == 2 || after == 4);
    const bool year_first = split == 4 && after == 2;
    return month_first || year_first ? word.size() : 0;
}

// "|12|29|123", " 1229 123": short numbers that follow at once.
size_t trailing_numbers(std::string_view text, size_t at) {
    size_t end = at;
    for (int parts = 0; parts < 4; ++parts) {
        size_t next = end;
        while (next < text.size() && next - end < 3 &&
               (is_blank(text[next]) || text[next] == '|' || text[next] == ',' ||
                text[next] == ';' || text[next] == ':' || text[next] == '/' || text[next] == '-'))
            ++next;
        size_t digits = 0;
        while (next + digits < text.size() && is_digit(text[next + digits])) ++digits;
        if (next == end || digits < 2 || digits > 4) break;
        if (parts == 0 && (text[next] > '1' || (text[next] == '1' && text[next + 1] > '2'))) break;
        end = next + digits;
    }
    return end;
}

}  // namespace

void find_assigned(std::string_view text, bool blanks, Edits *edits) {
    for (size_t at = 1; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '=' || c == ':' || (blanks && (is_blank(c) || c == '#'))) {
            take(text, name_before(text, at), at + 1, false, edits);
        } else if (c == '>' && at + 1 < text.size() && text[at + 1] != '<') {
            // <name attribute="…">value<: the name stands behind the bracket.
            const size_t from = at > kLongestValue ? at - kLongestValue : 0;
            size_t open = text.substr(from, at - from).rfind('<');
            if (open == std::string_view::npos) continue;
            open += from;
            size_t end = open + 1;
            while (end < at && (is_name(text[end]) || text[end] == ':')) ++end;
            std::string_view name = text.substr(open + 1, end - open - 1);
            if (const size_t colon = name.rfind(':'); colon != std::string_view::npos)
                name.remove_prefix(colon + 1);
            take(text, name, at + 1, true, edits);
        }
    }
}

void find_companions(std::string_view text, size_t begin, size_t end, Edits *edits) {
    if (const size_t last = trailing_numbers(text, end); last > end)
        edits->push_back(mark(end, last, CardData::expiry));
    const size_t from = begin > kNearby ? begin - kNearby : 0;
    const size_t to = character_end(text, std::min(text.size(), end + kNearby));
    for (size_t at = from; at < to; ++at) {
        if (at >= begin && at < end) at = end;
        if (at >= to || !is_digit(text[at]) || (at > 0 && is_digit(text[at - 1]))) continue;
        const size_t length = date_at(text, at);
        if (length == 0 || (at + length > begin && at < end)) continue;
        edits->push_back(mark(at, at + length, CardData::expiry));
        at += length;
    }
    Edits near;
    find_assigned(text.substr(from, to - from), true, &near);
    for (Edit &edit : near) {
        edit.begin += from;
        edit.end += from;
        if (edit.end <= begin || edit.begin >= end) edits->push_back(std::move(edit));
    }
}

}  // namespace aegis::core
