// SPDX-License-Identifier: Apache-2.0
#include "core/json.hpp"

#include <rapidjson/document.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/encoding.hpp"
#include "core/error.hpp"

namespace aegis::core {

namespace {

// Beyond it, not every whole number is a double.
constexpr double kMostWhole = 9007199254740992.0;

const rapidjson::Value &of(const void *value) {
    return *static_cast<const rapidjson::Value *>(value);
}

std::string_view chars_of(const rapidjson::Value &text) {
    return {text.GetString(), text.GetStringLength()};
}

[[noreturn]] void refuse() {
    throw Error{Code::malformed, "not JSON that reads in one way only"};
}

void check_text(const rapidjson::Value &text) {
    if (!is_text(as_bytes(chars_of(text)))) refuse();
}

// What the parser lets pass: names that stand twice, half surrogates, U+0000, deep nesting.
void check(const rapidjson::Value &value, int nesting) {
    if (nesting > kMaxJsonNesting) refuse();
    if (value.IsString()) check_text(value);
    if (value.IsArray())
        for (const rapidjson::Value &item : value.GetArray()) check(item, nesting + 1);
    if (!value.IsObject()) return;
    std::vector<std::string_view> names;
    for (const auto &member : value.GetObject()) {
        check_text(member.name);
        names.push_back(chars_of(member.name));
        check(member.value, nesting + 1);
    }
    std::sort(names.begin(), names.end());
    if (std::adjacent_find(names.begin(), names.end()) != names.end()) refuse();
}

}  // namespace

struct JsonDocument::State {
    rapidjson::Document document;
};

JsonDocument::JsonDocument(std::string_view text) : state_(std::make_unique<State>()) {
    // The parser would end at a zero byte, and skip a mark that RFC 8259 allows nobody to write.
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (!is_text(as_bytes(text)) || text.substr(0, kByteOrderMark.size()) == kByteOrderMark)
        refuse();
    // The recursive parser would end the process on a long row of brackets.
    constexpr unsigned kFlags =
        rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
    state_->document.Parse<kFlags>(text.data(), text.size());
    if (state_->document.HasParseError()) refuse();
    check(state_->document, 1);
}

JsonDocument::~JsonDocument() = default;

JsonValue JsonDocument::root() const {
    return JsonValue(static_cast<const rapidjson::Value *>(&state_->document));
}

bool JsonValue::is_object() const {
    return of(value_).IsObject();
}

bool JsonValue::is_array() const {
    return of(value_).IsArray();
}

std::optional<std::string_view> JsonValue::text() const {
    if (!of(value_).IsString()) return std::nullopt;
    return chars_of(of(value_));
}

std::optional<bool> JsonValue::truth() const {
    if (!of(value_).IsBool()) return std::nullopt;
    return of(value_).GetBool();
}

std::optional<int64_t> JsonValue::whole() const {
    if (!of(value_).IsNumber()) return std::nullopt;
    const double number = of(value_).GetDouble();
    if (!(std::fabs(number) <= kMostWhole)) return std::nullopt;
    return static_cast<int64_t>(std::floor(number));
}

std::optional<JsonValue> JsonValue::member(std::string_view name) const {
    if (!of(value_).IsObject()) return std::nullopt;
    for (const auto &member : of(value_).GetObject())
        if (chars_of(member.name) == name) return JsonValue(&member.value);
    return std::nullopt;
}

size_t JsonValue::size() const {
    return of(value_).IsArray() ? of(value_).Size() : 0;
}

JsonValue JsonValue::item(size_t at) const {
    if (at >= size()) throw Error{Code::invalid_argument, "no such item"};
    return JsonValue(&of(value_)[static_cast<rapidjson::SizeType>(at)]);
}

}  // namespace aegis::core
