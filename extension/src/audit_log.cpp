// SPDX-License-Identifier: Apache-2.0
// Makes the canonical bytes of an entry readable: the columns behind aegis.audit_log. Sealed parts
// appear as armor; nothing is opened here.
#include "core/encoding.hpp"
#include "core/entry.hpp"
#include "core/envelope.hpp"

#include "pg/function.hpp"

namespace {

namespace core = aegis::core;
namespace pg = aegis::pg;

void append_text(StringInfo out, std::string_view text) {
    char *copy = pnstrdup(text.data(), text.size());
    escape_json(out, copy);
    pfree(copy);
}

// A byte string is an envelope, a uuid, or just bytes.
void append_bytes(StringInfo out, core::ByteView bytes) {
    bool sealed = !pg::run([&] { core::parse_envelope(bytes); }).failed;
    appendStringInfoChar(out, '"');
    if (sealed) {
        char *armor = static_cast<char *>(palloc(core::armor_size(bytes.size)));
        core::to_armor(bytes, armor);
        appendBinaryStringInfo(out, armor, static_cast<int>(core::armor_size(bytes.size)));
    } else if (bytes.size == UUID_LEN) {
        appendStringInfoString(out,
                               DatumGetCString(DirectFunctionCall1(
                                   uuid_out, PointerGetDatum(const_cast<uint8_t *>(bytes.data)))));
    } else {
        appendStringInfoString(out, "\\\\x");
        char *hex = static_cast<char *>(palloc(core::hex_size(bytes.size) + 1));
        core::to_hex(bytes, hex);
        appendBinaryStringInfo(out, hex, static_cast<int>(core::hex_size(bytes.size)));
    }
    appendStringInfoChar(out, '"');
}

// names: words for the integer keys of a row image's outermost map.
void append_item(StringInfo out, core::CborReader &reader, const char *const *names) {
    check_stack_depth();
    core::CborItem item;
    pg::raise(pg::run([&] { item = reader.next(); }));
    switch (item.type) {
        case core::CborType::unsigned_int:
            appendStringInfo(out, UINT64_FORMAT, item.value);
            break;
        case core::CborType::negative_int:
            appendStringInfo(out, INT64_FORMAT, -1 - static_cast<int64>(item.value));
            break;
        case core::CborType::text:
            append_text(out, {reinterpret_cast<const char *>(item.body.data), item.body.size});
            break;
        case core::CborType::bytes:
            append_bytes(out, item.body);
            break;
        case core::CborType::boolean:
            appendStringInfoString(out, item.value != 0 ? "true" : "false");
            break;
        case core::CborType::null:
            appendStringInfoString(out, "null");
            break;
        case core::CborType::tag:
            append_item(out, reader, nullptr);
            break;
        case core::CborType::array:
            appendStringInfoChar(out, '[');
            for (uint64_t i = 0; i < item.value; i++) {
                if (i > 0) appendStringInfoString(out, ", ");
                append_item(out, reader, nullptr);
            }
            appendStringInfoChar(out, ']');
            break;
        case core::CborType::map:
            appendStringInfoChar(out, '{');
            for (uint64_t i = 0; i < item.value; i++) {
                core::CborItem key;
                pg::raise(pg::run([&] { key = reader.next(); }));
                if (i > 0) appendStringInfoString(out, ", ");
                if (key.type == core::CborType::text)
                    append_text(out,
                                {reinterpret_cast<const char *>(key.body.data), key.body.size});
                else if (names != nullptr && key.value <= 5)
                    appendStringInfo(out, "\"%s\"", names[key.value]);
                else
                    appendStringInfo(out, "\"" UINT64_FORMAT "\"", key.value);
                appendStringInfoString(out, ": ");
                append_item(out, reader, nullptr);
            }
            appendStringInfoChar(out, '}');
            break;
    }
}

Datum json_of(core::ByteView encoded, const char *const *names) {
    StringInfoData text;
    initStringInfo(&text);
    core::CborReader reader(encoded);
    append_item(&text, reader, names);
    return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
}

Datum text_datum(std::string_view text) {
    return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size())));
}

Datum uuid_datum(core::ByteView bytes) {
    pg_uuid_t *uuid = static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t)));
    memcpy(uuid->data, bytes.data, UUID_LEN);
    return UUIDPGetDatum(uuid);
}

enum Column {
    kTime,
    kEvent,
    kOutcome,
    kTenant,
    kUser,
    kSession,
    kSessionUser,
    kRank,
    kWay,
    kJob,
    kRequest,
    kTargetKind,
    kTargetId,
    kDetail,
    kImage,
    kOrigin,
    kColumns
};

}  // namespace

AEGIS_FUNCTION(aegis_decode_entry) {
    static const char *const image_names[] = {"relation", "operation", "key",
                                              "old",      "new",       "sealed"};
    static const char *const outcomes[] = {"success", "failure", "denied"};
    static const char *const ways[] = {"none",    "session_token", "sign_in", "operator", "job",
                                       "service", "unknown",       "webhook", "link"};
    TupleDesc shape;
    if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("return type must be a row type")));
    shape = BlessTupleDesc(shape);
    core::ByteView body = pg::varlena_view(PG_GETARG_DATUM(0));
    core::EntryFields entry;
    pg::raise(pg::run([&] { entry = core::decode_entry(body); }));

    Datum values[kColumns];
    bool nulls[kColumns];
    memset(nulls, true, sizeof nulls);
    auto set = [&](Column column, bool present, auto &&make) {
        if (!present) return;
        values[column] = make();
        nulls[column] = false;
    };
    set(kTime, true, [&] {
        return TimestampTzGetDatum(entry.unix_micros -
                                   static_cast<int64>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) *
                                       SECS_PER_DAY * USECS_PER_SEC);
    });
    set(kEvent, true, [&] { return text_datum(entry.event); });
    set(kOutcome, true, [&] { return text_datum(outcomes[static_cast<int>(entry.outcome)]); });
    set(kTenant, entry.tenant.size > 0, [&] { return uuid_datum(entry.tenant); });
    set(kUser, entry.user.size > 0, [&] { return uuid_datum(entry.user); });
    set(kSession, entry.session.size > 0, [&] { return uuid_datum(entry.session); });
    set(kSessionUser, !entry.session_user.empty(), [&] { return text_datum(entry.session_user); });
    set(kRank, entry.rank != 0, [&] { return Int16GetDatum(static_cast<int16>(entry.rank)); });
    set(kWay, entry.way != 0, [&] {
        return text_datum(entry.way < static_cast<int>(lengthof(ways)) ? ways[entry.way]
                                                                       : "unknown");
    });
    set(kJob, entry.job != 0, [&] { return Int64GetDatum(static_cast<int64>(entry.job)); });
    set(kRequest, !entry.request_id.empty(), [&] { return text_datum(entry.request_id); });
    set(kTargetKind, !entry.target_kind.empty(), [&] { return text_datum(entry.target_kind); });
    set(kTargetId, !entry.target_id.empty(), [&] { return text_datum(entry.target_id); });
    set(kDetail, entry.detail.size > 0, [&] { return json_of(entry.detail, nullptr); });
    set(kImage, entry.image.size > 0, [&] { return json_of(entry.image, image_names); });
    set(kOrigin, entry.origin.size > 0, [&] {
        char *armor = static_cast<char *>(palloc(core::armor_size(entry.origin.size)));
        core::to_armor(entry.origin, armor);
        return text_datum({armor, core::armor_size(entry.origin.size)});
    });
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(shape, values, nulls)));
}
