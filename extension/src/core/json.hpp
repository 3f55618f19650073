// SPDX-License-Identifier: Apache-2.0
// Reads JSON of strangers in one way only: well-formed UTF-8 without U+0000, no name twice in any
// object, nothing behind the value, not too deep. It keeps RapidJSON to itself.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "core/bytes.hpp"

namespace aegis::core {

inline constexpr int kMaxJsonNesting = 16;

// A value of a document, which must live longer.
class JsonValue {
 public:
    explicit JsonValue(const void *value) : value_(value) {}

    bool is_object() const;
    bool is_array() const;
    // Each: nothing when the value is of another type.
    std::optional<std::string_view> text() const;
    std::optional<bool> truth() const;
    // A number; a fraction is dropped. Nothing when it is beyond 2^53.
    std::optional<int64_t> whole() const;
    // A member of an object; nothing when it is missing, or this is none.
    std::optional<JsonValue> member(std::string_view name) const;
    // Of an array; 0 for everything else.
    size_t size() const;
    JsonValue item(size_t at) const;

 private:
    const void *value_;
};

class JsonDocument {
 public:
    explicit JsonDocument(std::string_view text);  // throws malformed
    ~JsonDocument();
    JsonDocument(const JsonDocument &) = delete;
    JsonDocument &operator=(const JsonDocument &) = delete;

    JsonValue root() const;

 private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace aegis::core
