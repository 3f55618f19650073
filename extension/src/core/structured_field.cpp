// SPDX-License-Identifier: Apache-2.0
#include "core/structured_field.hpp"

#include "core/encoding.hpp"
#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr size_t kMaxIntegerDigits = 15;
constexpr size_t kMaxDecimalDigits = 12;  // before the point
constexpr size_t kMaxFractionDigits = 3;
constexpr int64_t kThousand = 1000;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_letter(char c) {
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}
bool is_key_character(char c) {
    return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}
bool is_token_character(char c) {
    return is_letter(c) || is_digit(c) ||
           std::string_view("!#$%&'*+-.^_`|~:/").find(c) != std::string_view::npos;
}
bool is_printable(char c) {
    return c >= 0x20 && c <= 0x7e;
}

class Reader {
 public:
    explicit Reader(std::string_view text) : text_(text) {}

    std::vector<FieldMember> dictionary() {
        std::vector<FieldMember> members;
        skip_spaces();
        while (!done()) {
            FieldMember member;
            member.key = key();
            for (const FieldMember &other : members)
                if (other.key == member.key) malformed();
            if (!take('='))
                member.item.parameters = parameters();
            else if (at('(')) {
                member.is_list = true;
                member.list = inner_list();
            } else
                member.item = item();
            members.push_back(std::move(member));
            skip_blanks();
            if (done()) break;
            expect(',');
            skip_blanks();
            if (done()) malformed();  // a comma with nothing behind it
        }
        return members;
    }

 private:
    [[noreturn]] static void malformed() {
        throw Error{Code::malformed, "not a dictionary of structured fields"};
    }
    bool done() const { return position_ == text_.size(); }
    bool at(char c) const { return !done() && text_[position_] == c; }
    bool take(char c) {
        if (!at(c)) return false;
        ++position_;
        return true;
    }
    void expect(char c) {
        if (!take(c)) malformed();
    }
    char next() {
        if (done()) malformed();
        return text_[position_++];
    }
    void skip_spaces() {
        while (take(' ')) {
        }
    }
    void skip_blanks() {
        while (take(' ') || take('\t')) {
        }
    }

    std::string key() {
        if (done() || !(is_lower(text_[position_]) || at('*'))) malformed();
        return run(is_key_character);
    }
    template <typename Test>
    std::string run(Test allowed) {
        const size_t start = position_;
        while (!done() && allowed(text_[position_])) ++position_;
        return std::string(text_.substr(start, position_ - start));
    }

    Parameters parameters() {
        Parameters found;
        while (take(';')) {
            skip_spaces();
            std::string name = key();
            if (find_parameter(found, name) != nullptr) malformed();
            found.emplace_back(std::move(name), take('=') ? bare_item() : BareItem());
        }
        return found;
    }
    FieldItem item() {
        FieldItem read;
        read.value = bare_item();
        read.parameters = parameters();
        return read;
    }
    InnerList inner_list() {
        InnerList list;
        expect('(');
        skip_spaces();
        while (!take(')')) {
            list.items.push_back(item());
            if (!at(' ') && !at(')')) malformed();
            skip_spaces();
        }
        list.parameters = parameters();
        return list;
    }

    BareItem bare_item() {
        if (done()) malformed();
        const char c = text_[position_];
        if (is_digit(c) || c == '-') return number();
        if (c == '"') return string();
        if (c == ':') return bytes();
        if (c == '?') return boolean();
        if (!is_letter(c) && c != '*') malformed();
        BareItem read;
        read.type = FieldType::token;
        read.text = run(is_token_character);
        return read;
    }
    BareItem number() {
        BareItem read;
        read.type = FieldType::integer;
        const bool negative = take('-');
        const std::string whole = run(is_digit);
        if (whole.empty() || whole.size() > kMaxIntegerDigits) malformed();
        read.number = std::stoll(whole);
        if (take('.')) {
            std::string fraction = run(is_digit);
            if (whole.size() > kMaxDecimalDigits || fraction.empty() ||
                fraction.size() > kMaxFractionDigits)
                malformed();
            fraction.resize(kMaxFractionDigits, '0');
            read.type = FieldType::decimal;
            read.number = read.number * kThousand + std::stoll(fraction);
        }
        if (negative) read.number = -read.number;
        return read;
    }
    BareItem string() {
        BareItem read;
        read.type = FieldType::string;
        expect('"');
        for (char c; (c = next()) != '"';) {
            if (c == '\\') {
                c = next();
                if (c != '"' && c != '\\') malformed();
            } else if (!is_printable(c))
                malformed();
            read.text += c;
        }
        return read;
    }
    BareItem bytes() {
        expect(':');
        const size_t end = text_.find(':', position_);
        if (end == std::string_view::npos) malformed();
        const std::string_view digits = text_.substr(position_, end - position_);
        BareItem read;
        read.type = FieldType::bytes;
        read.text.resize(base64_decoded_size(digits));
        from_base64(digits, {reinterpret_cast<uint8_t *>(read.text.data()), read.text.size()});
        position_ = end + 1;
        return read;
    }
    BareItem boolean() {
        expect('?');
        const char c = next();
        if (c != '0' && c != '1') malformed();
        BareItem read;
        read.number = c - '0';
        return read;
    }

    std::string_view text_;
    size_t position_ = 0;
};

std::string format_decimal(int64_t thousandths) {
    const int64_t size = thousandths < 0 ? -thousandths : thousandths;
    std::string fraction = std::to_string(kThousand + size % kThousand).substr(1);
    while (fraction.size() > 1 && fraction.back() == '0') fraction.pop_back();
    return (thousandths < 0 ? "-" : "") + std::to_string(size / kThousand) + "." + fraction;
}

std::string format_string(std::string_view text) {
    std::string out = "\"";
    for (char c : text) {
        if (!is_printable(c)) throw Error{Code::invalid_argument, "a string has another character"};
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string format_bare_item(const BareItem &item) {
    switch (item.type) {
        case FieldType::integer:
            return std::to_string(item.number);
        case FieldType::decimal:
            return format_decimal(item.number);
        case FieldType::string:
            return format_string(item.text);
        case FieldType::token:
            return item.text;
        case FieldType::boolean:
            return item.number != 0 ? "?1" : "?0";
        case FieldType::bytes:
            break;
    }
    return format_byte_sequence(as_bytes(item.text));
}

std::string format_parameters(const Parameters &parameters) {
    std::string out;
    for (const auto &[key, value] : parameters) {
        out += ";" + key;
        if (value.type != FieldType::boolean || value.number == 0)
            out += "=" + format_bare_item(value);
    }
    return out;
}

}  // namespace

std::vector<FieldMember> parse_dictionary(std::string_view text) {
    if (text.size() > kMaxStructuredFieldBytes)
        throw Error{Code::too_long, "a structured field is too long"};
    return Reader(text).dictionary();
}

std::string format_inner_list(const InnerList &list) {
    std::string out = "(";
    for (const FieldItem &item : list.items) {
        if (out.size() > 1) out += ' ';
        out += format_bare_item(item.value) + format_parameters(item.parameters);
    }
    return out + ")" + format_parameters(list.parameters);
}

std::string format_byte_sequence(ByteView bytes) {
    std::string digits(base64_size(bytes.size), '\0');
    to_base64(bytes, digits.data());
    return ":" + digits + ":";
}

const BareItem *find_parameter(const Parameters &parameters, std::string_view key) noexcept {
    for (const auto &[name, value] : parameters)
        if (name == key) return &value;
    return nullptr;
}

}  // namespace aegis::core
