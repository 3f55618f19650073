// SPDX-License-Identifier: Apache-2.0
// Writes one flat JSON object, the only JSON that the gateway makes by itself: problems and log
// lines. RapidJSON does the quoting; no other file includes it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace aegis::server {

class JsonObject {
 public:
    JsonObject();
    ~JsonObject();
    JsonObject(const JsonObject &) = delete;
    JsonObject &operator=(const JsonObject &) = delete;

    JsonObject &add(std::string_view name, std::string_view value);
    JsonObject &add(std::string_view name, int64_t value);
    JsonObject &add(std::string_view name, double value);  // three decimals
    // A member that is JSON already.
    JsonObject &add_json(std::string_view name, std::string_view json);
    // Leaves the member out when the text is empty.
    JsonObject &add_some(std::string_view name, std::string_view value);
    // Closes the object; nothing can be added afterwards.
    std::string text();

 private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace aegis::server
