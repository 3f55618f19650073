// SPDX-License-Identifier: Apache-2.0
#include "json_reader.hpp"

#include <rapidjson/document.h>

#include <algorithm>
#include <set>

#include "core/encoding.hpp"
#include "core/error.hpp"

namespace aegis::server {

struct JsonReader::State {
    rapidjson::Document document;
    bool is_well = false;

    const rapidjson::Value *find(std::string_view name) const {
        if (!is_well) return nullptr;
        auto found = document.FindMember(
            rapidjson::Value(name.data(), static_cast<rapidjson::SizeType>(name.size())));
        return found == document.MemberEnd() ? nullptr : &found->value;
    }
};

namespace {

std::string text_of(const rapidjson::Value &value) {
    return {value.GetString(), value.GetStringLength()};
}

bool has_twice(const rapidjson::Value &object) {
    std::set<std::string> names;
    for (const auto &member : object.GetObject())
        if (!names.insert(text_of(member.name)).second) return true;
    return false;
}

}  // namespace

JsonReader::JsonReader(std::string_view text) : state_(std::make_unique<State>()) {
    constexpr unsigned kFlags =
        rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
    state_->document.Parse<kFlags>(text.data(), text.size());
    state_->is_well = !state_->document.HasParseError() && state_->document.IsObject() &&
                      !has_twice(state_->document);
}

JsonReader::~JsonReader() = default;

bool JsonReader::is_well() const {
    return state_->is_well;
}

bool JsonReader::has_only(const std::vector<std::string_view> &names) const {
    if (!state_->is_well) return false;
    for (const auto &member : state_->document.GetObject()) {
        bool is_known = false;
        for (std::string_view name : names) is_known = is_known || text_of(member.name) == name;
        if (!is_known) return false;
    }
    return true;
}

bool JsonReader::has(std::string_view name) const {
    return state_->find(name) != nullptr;
}

std::optional<std::string> JsonReader::text(std::string_view name) const {
    const rapidjson::Value *value = state_->find(name);
    if (value == nullptr || !value->IsString()) return std::nullopt;
    return text_of(*value);
}

std::optional<int64_t> JsonReader::number(std::string_view name) const {
    const rapidjson::Value *value = state_->find(name);
    if (value == nullptr || !value->IsInt64()) return std::nullopt;
    return value->GetInt64();
}

std::optional<std::vector<int64_t>> JsonReader::numbers(std::string_view name) const {
    const rapidjson::Value *value = state_->find(name);
    if (value == nullptr || !value->IsArray()) return std::nullopt;
    std::vector<int64_t> all;
    for (const auto &item : value->GetArray()) {
        if (!item.IsInt64()) return std::nullopt;
        all.push_back(item.GetInt64());
    }
    return all;
}

std::optional<std::map<std::string, std::string>> JsonReader::texts(std::string_view name) const {
    const rapidjson::Value *value = state_->find(name);
    if (value == nullptr || !value->IsObject() || has_twice(*value)) return std::nullopt;
    std::map<std::string, std::string> all;
    for (const auto &member : value->GetObject()) {
        if (!member.value.IsString()) return std::nullopt;
        all[text_of(member.name)] = text_of(member.value);
    }
    return all;
}

std::optional<std::string> JsonReader::bytes(std::string_view name) const {
    std::optional<std::string> armor = text(name);
    if (!armor) return std::nullopt;
    // encode() of PostgreSQL breaks lines.
    armor->erase(std::remove(armor->begin(), armor->end(), '\n'), armor->end());
    try {
        std::string bytes(core::base64_decoded_size(*armor), '\0');
        core::from_base64(*armor, {reinterpret_cast<uint8_t *>(bytes.data()), bytes.size()});
        return bytes;
    } catch (const core::Error &) {
        return std::nullopt;
    }
}

}  // namespace aegis::server
