// SPDX-License-Identifier: Apache-2.0
#include "core/normalise.hpp"

#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr std::string_view kHidden = "***";
constexpr size_t kLongestCharacter = 4;

bool is_space(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool starts_character(uint8_t c) {
    return (c & 0xc0) != 0x80;
}

std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char *>(bytes.data), bytes.size};
}

std::string_view first_character(std::string_view text) {
    size_t end = 1;
    while (end < text.size() && end < kLongestCharacter && !starts_character(text[end])) ++end;
    return text.substr(0, end);
}

class Output {
 public:
    explicit Output(ByteSpan out) : out_(out) {}
    void put(std::string_view text) {
        const size_t room = out_.size - used_;
        const size_t take = text.size() < room ? text.size() : room;
        if (take) memcpy(out_.data + used_, text.data(), take);
        used_ += take;
    }
    size_t used() const { return used_; }

 private:
    ByteSpan out_;
    size_t used_ = 0;
};

void mask_email(std::string_view value, Output *out) {
    const size_t at = value.rfind('@');
    if (at == std::string_view::npos || at == 0 || at + 1 == value.size()) return out->put(kHidden);
    const std::string_view domain = value.substr(at + 1);
    const std::string_view initial = first_character(domain);
    const size_t dot = domain.rfind('.');
    out->put(first_character(value));
    out->put(kHidden);
    out->put("@");
    out->put(initial);
    out->put(kHidden);
    if (dot != std::string_view::npos && dot >= initial.size()) out->put(domain.substr(dot));
}

void mask_last4(std::string_view value, Output *out) {
    size_t characters = 0, start = value.size();
    for (size_t i = value.size(); i-- > 0;) {
        if (!starts_character(value[i])) continue;
        if (++characters == 4) start = i;
    }
    out->put(kHidden);
    if (characters > 8) out->put(value.substr(start));
}

}  // namespace

size_t normalise(Normaliser how, ByteView value, ByteSpan out) {
    if (out.size < value.size)
        throw Error{Code::invalid_argument, "no room for the normalised value"};
    size_t from = 0, to = value.size;
    if (how == Normaliser::none) {
        if (to) memcpy(out.data, value.data, to);
        return to;
    }
    while (from < to && is_space(value.data[from])) ++from;
    while (to > from && is_space(value.data[to - 1])) --to;
    for (size_t i = from; i < to; ++i) {
        const uint8_t c = value.data[i];
        out.data[i - from] = c >= 'A' && c <= 'Z' ? static_cast<uint8_t>(c + ('a' - 'A')) : c;
    }
    const size_t size = to - from;
    const size_t at = as_text({out.data, size}).rfind('@');
    if (at == std::string_view::npos || at == 0 || at + 1 == size)
        throw Error{Code::malformed, "not an e-mail address"};
    return size;
}

size_t mask_capacity(size_t value_bytes) noexcept {
    // An e-mail's mask is at worst two characters, "***@***", and the last label with its dot.
    return value_bytes + 2 * kLongestCharacter + 2 * kHidden.size() + 1;
}

size_t mask(Mask how, ByteView value, ByteSpan out) noexcept {
    Output output(out);
    switch (how) {
        case Mask::none:
            output.put(as_text(value));
            break;
        case Mask::full:
            output.put(kHidden);
            break;
        case Mask::email:
            mask_email(as_text(value), &output);
            break;
        case Mask::last4:
            mask_last4(as_text(value), &output);
            break;
    }
    return output.used();
}

}  // namespace aegis::core
