// SPDX-License-Identifier: Apache-2.0
// Declares SQL-callable functions and reads their arguments as views without destructors.
#pragma once

#include "pg/compat.hpp"
#include "pg/guard.hpp"
#include "pg/report.hpp"

#define AEGIS_FUNCTION(name)                   \
    extern "C" {                               \
    PG_FUNCTION_INFO_V1(name);                 \
    AEGIS_EXPORT Datum name(PG_FUNCTION_ARGS); \
    }                                          \
    Datum name([[maybe_unused]] PG_FUNCTION_ARGS)

namespace aegis::pg {

using core::ByteSpan;
using core::ByteView;

// View of a detoasted varlena argument; lives as long as the current memory context. May ereport.
inline ByteView varlena_view(Datum value) {
    struct varlena *v = PG_DETOAST_DATUM_PACKED(value);
    return {reinterpret_cast<const uint8_t *>(VARDATA_ANY(v)), VARSIZE_ANY_EXHDR(v)};
}

// A new varlena with room for `bytes` bytes of payload. May ereport.
inline struct varlena *alloc_varlena(size_t bytes) {
    struct varlena *v = static_cast<struct varlena *>(palloc(VARHDRSZ + bytes));
    SET_VARSIZE(v, VARHDRSZ + bytes);
    return v;
}

inline ByteSpan payload(struct varlena *v) {
    return {reinterpret_cast<uint8_t *>(VARDATA(v)), VARSIZE(v) - VARHDRSZ};
}

inline struct varlena *copy_varlena(ByteView bytes) {
    struct varlena *v = alloc_varlena(bytes.size);
    if (bytes.size) memcpy(VARDATA(v), bytes.data, bytes.size);
    return v;
}

inline ByteView view_of(const pg_uuid_t &uuid) {
    return {uuid.data, UUID_LEN};
}

inline ByteView view_of(const char *text) {
    return {reinterpret_cast<const uint8_t *>(text), strlen(text)};
}

}  // namespace aegis::pg
