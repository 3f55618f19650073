// SPDX-License-Identifier: Apache-2.0
#include "json.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace aegis::server {

namespace {

constexpr int kDecimals = 3;

rapidjson::SizeType length(std::string_view text) {
    return static_cast<rapidjson::SizeType>(text.size());
}

}  // namespace

struct JsonObject::State {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
};

JsonObject::JsonObject() : state_(std::make_unique<State>()) {
    state_->writer.SetMaxDecimalPlaces(kDecimals);
    state_->writer.StartObject();
}

JsonObject::~JsonObject() = default;

JsonObject &JsonObject::add(std::string_view name, std::string_view value) {
    state_->writer.Key(name.data(), length(name));
    state_->writer.String(value.data() ? value.data() : "", length(value));
    return *this;
}

JsonObject &JsonObject::add(std::string_view name, int64_t value) {
    state_->writer.Key(name.data(), length(name));
    state_->writer.Int64(value);
    return *this;
}

JsonObject &JsonObject::add(std::string_view name, double value) {
    state_->writer.Key(name.data(), length(name));
    state_->writer.Double(value);
    return *this;
}

JsonObject &JsonObject::add_json(std::string_view name, std::string_view json) {
    state_->writer.Key(name.data(), length(name));
    state_->writer.RawValue(json.data(), json.size(), rapidjson::kObjectType);
    return *this;
}

JsonObject &JsonObject::add_some(std::string_view name, std::string_view value) {
    return value.empty() ? *this : add(name, value);
}

std::string JsonObject::text() {
    state_->writer.EndObject();
    return {state_->buffer.GetString(), state_->buffer.GetSize()};
}

}  // namespace aegis::server
