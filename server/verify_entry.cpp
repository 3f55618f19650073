// SPDX-License-Identifier: Apache-2.0
#include "verify_entry.hpp"

#include <cstdio>
#include <utility>
#include <vector>

#include "core/bundle_check.hpp"
#include "core/entry.hpp"
#include "verify_io.hpp"

namespace aegis::verify_tool {

namespace {

using core::ByteView;
using core::CborItem;
using core::CborReader;
using core::CborType;

std::string text_of(ByteView bytes) {
    return {reinterpret_cast<const char *>(bytes.data), bytes.size};
}

// One value as JSON: bytes in hexadecimal, keys as text. The entry's nesting was checked before.
std::string value_json(CborReader *reader) {
    const CborItem item = reader->next();
    std::string out;
    switch (item.type) {
        case CborType::unsigned_int:
            return std::to_string(item.value);
        case CborType::negative_int:
            return item.value == UINT64_MAX ? "-18446744073709551616"
                                            : "-" + std::to_string(item.value + 1);
        case CborType::bytes:
            return json(hex_of(item.body));
        case CborType::text:
            return json(text_of(item.body));
        case CborType::boolean:
            return item.value != 0 ? "true" : "false";
        case CborType::null:
            return "null";
        case CborType::tag:
            return value_json(reader);
        case CborType::array:
            for (uint64_t i = 0; i < item.value; ++i)
                out += (i == 0 ? "" : ", ") + value_json(reader);
            return "[" + out + "]";
        case CborType::map:
            for (uint64_t i = 0; i < item.value; ++i) {
                const std::string key = value_json(reader);
                out += (i == 0 ? "" : ", ") + (key[0] == '"' ? key : json(key)) + ": ";
                out += value_json(reader);
            }
            return "{" + out + "}";
    }
    return "null";
}

std::string map_json(ByteView map) {
    CborReader reader(map);
    return value_json(&reader);
}

std::string exact_time(int64_t micros) {
    int64_t part = micros % 1000000;
    if (part < 0) part += 1000000;
    std::string text = time_text(micros - part);
    if (text.back() != 'Z') return text;
    char digits[16];
    snprintf(digits, sizeof digits, ".%06lldZ", static_cast<long long>(part));
    return text.substr(0, text.size() - 1) + digits;
}

const char *outcome_text(core::Outcome outcome) {
    switch (outcome) {
        case core::Outcome::success:
            return "success";
        case core::Outcome::failure:
            return "failure";
        case core::Outcome::denied:
            return "denied";
    }
    return "unknown";
}

struct Field {
    const char *name;
    std::string text;  // empty: the entry does not have it
    bool is_json;      // goes into JSON as it is
};

std::string number(uint64_t value) {
    return value == 0 ? "" : std::to_string(value);
}

std::string id(ByteView bytes) {
    return bytes.size == 0 ? "" : core::uuid_text(bytes);
}

std::vector<Field> fields_of(ByteView body) {
    const core::EntryFields e = core::decode_entry(body);
    return {{"time", exact_time(e.unix_micros), false},
            {"event", std::string(e.event), false},
            {"outcome", outcome_text(e.outcome), false},
            {"tenant", id(e.tenant), false},
            {"user", id(e.user), false},
            {"session", id(e.session), false},
            {"session_user", std::string(e.session_user), false},
            {"rank", number(static_cast<uint64_t>(e.rank)), true},
            {"job", number(e.job), true},
            {"request_id", std::string(e.request_id), false},
            {"target_kind", std::string(e.target_kind), false},
            {"target_id", std::string(e.target_id), false},
            {"detail", e.detail.size == 0 ? "" : map_json(e.detail), true},
            {"image", e.image.size == 0 ? "" : map_json(e.image), true},
            {"transaction", number(e.xid), true}};
}

}  // namespace

std::string entry_lines(ByteView body) {
    std::string out;
    for (const Field &field : fields_of(body)) {
        if (field.text.empty()) continue;
        std::string name = field.name;
        name.resize(13, ' ');
        out += name + plain(field.text) + "\n";
    }
    return out;
}

std::string entry_json(ByteView body) {
    std::string out;
    for (const Field &field : fields_of(body)) {
        const std::string value = field.text.empty() ? "null"
                                  : field.is_json    ? field.text
                                                     : json(field.text);
        out += (out.empty() ? "" : ", ") + json(field.name) + ": " + value;
    }
    return "{" + out + "}";
}

}  // namespace aegis::verify_tool
