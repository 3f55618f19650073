// SPDX-License-Identifier: Apache-2.0
// Turns a column value into canonical bytes that depend on the value alone: never on TimeZone,
// DateStyle, extra_float_digits or the client's encoding. docs/audit.md lists every type.
#pragma once

#include "core/cbor.hpp"
#include "pg/postgres.hpp"

namespace aegis::audit_value {

enum class Form : uint8_t {
    boolean,
    int16,
    int32,
    int64,
    oid,
    uuid,
    date,       // days since 1970-01-01
    timestamp,  // microseconds since 1970-01-01
    label,      // enum
    text,
    name,
    numeric,  // every digit, as text
    jsonb,    // as text
    bytes,
    envelope,  // sealed column, without its search token
    binary     // the type's own send function
};

struct Encoding {
    Form form;
    bool is_public;  // holds no personal data by its nature
    Oid send;        // for binary
};

// ERROR feature_not_supported for a type without a binary form.
Encoding encoding_of(Oid type);
void write(core::CborWriter &writer, const Encoding &encoding, Datum value);

}  // namespace aegis::audit_value
