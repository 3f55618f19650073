// SPDX-License-Identifier: Apache-2.0
// Reads a JSON object whose members are texts, numbers, lists and objects of these: payloads of
// jobs. As json.hpp, it keeps RapidJSON to itself.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aegis::server {

class JsonReader {
 public:
    // Not an object, or a member twice: is_well() is false and every member is missing.
    explicit JsonReader(std::string_view text);
    ~JsonReader();
    JsonReader(const JsonReader &) = delete;
    JsonReader &operator=(const JsonReader &) = delete;

    bool is_well() const;
    // Whether every member is one of these.
    bool has_only(const std::vector<std::string_view> &names) const;
    bool has(std::string_view name) const;
    // Each: nothing when the member is missing or of another type.
    std::optional<std::string> text(std::string_view name) const;
    std::optional<int64_t> number(std::string_view name) const;
    std::optional<std::vector<int64_t>> numbers(std::string_view name) const;
    std::optional<std::map<std::string, std::string>> texts(std::string_view name) const;
    // The bytes of a text in base64, with padding; line breaks are allowed.
    std::optional<std::string> bytes(std::string_view name) const;

 private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace aegis::server
