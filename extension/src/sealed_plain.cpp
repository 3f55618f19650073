// SPDX-License-Identifier: Apache-2.0
// Between plain values and plaintext: text as it is, everything else as PostgreSQL's binary send
// format, which depends on no setting of a session.
#include "sealed.hpp"

#include "pg/function.hpp"

namespace aegis::sealed {

namespace {

constexpr uint8_t kJsonbVersion = 1;

core::ByteSpan copy_of(core::ByteView bytes) {
    core::ByteSpan copy{static_cast<uint8_t *>(palloc(bytes.size + 1)), bytes.size};
    if (bytes.size) memcpy(copy.data, bytes.data, bytes.size);
    return copy;
}

core::ByteSpan copy_of_varlena(Datum value) {
    return copy_of(pg::varlena_view(value));
}

// The server's own functions show the value in their messages.
template <typename Body>
Datum without_value(const Kind &kind, Body body) {
    MemoryContext caller = CurrentMemoryContext;
    volatile Datum result = 0;
    PG_TRY();
    { result = body(); }
    PG_CATCH();
    {
        int code = geterrcode();
        if (ERRCODE_TO_CATEGORY(code) != ERRCODE_DATA_EXCEPTION) PG_RE_THROW();
        MemoryContextSwitchTo(caller);
        FlushErrorState();
        bool range =
            code == ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE || code == ERRCODE_DATETIME_FIELD_OVERFLOW;
        ereport(ERROR,
                (errcode(code),
                 range ? errmsg("value is out of range for type %s", format_type_be(kind.plain))
                       : errmsg("invalid input syntax for type %s", format_type_be(kind.plain)),
                 errdetail("The value is not shown.")));
    }
    PG_END_TRY();
    return result;
}

Datum read_text(const Kind &kind, const char *text) {
    return without_value(kind, [&]() -> Datum {
        switch (kind.plaintext) {
            case core::PlaintextType::bytea:
                return DirectFunctionCall1(byteain, CStringGetDatum(text));
            case core::PlaintextType::jsonb:
                return DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
            case core::PlaintextType::numeric:
                return DirectFunctionCall3(numeric_in, CStringGetDatum(text), InvalidOid, -1);
            case core::PlaintextType::date:
                return DirectFunctionCall1(date_in, CStringGetDatum(text));
            case core::PlaintextType::timestamptz:
                return DirectFunctionCall3(timestamptz_in, CStringGetDatum(text), InvalidOid, -1);
            case core::PlaintextType::text:
                break;
        }
        return CStringGetTextDatum(text);
    });
}

// The text of a jsonb follows its version in the server's encoding, not in a client's.
Datum read_jsonb(core::ByteView binary) {
    if (binary.size == 0 || binary.data[0] != kJsonbVersion)
        ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                        errmsg("unsupported jsonb version number")));
    char *text = pnstrdup(reinterpret_cast<const char *>(binary.data) + 1, binary.size - 1);
    Datum value = DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
    pfree(text);
    return value;
}

Datum read_binary(const Kind &kind, core::ByteView binary) {
    StringInfoData message;
    message.data = reinterpret_cast<char *>(copy_of(binary).data);
    message.len = message.maxlen = static_cast<int>(binary.size);
    message.cursor = 0;
    Datum buffer = PointerGetDatum(&message);
    Datum value = 0;
    switch (kind.plaintext) {
        case core::PlaintextType::numeric:
            value = DirectFunctionCall3(numeric_recv, buffer, InvalidOid, -1);
            break;
        case core::PlaintextType::date:
            value = DirectFunctionCall1(date_recv, buffer);
            break;
        case core::PlaintextType::timestamptz:
            value = DirectFunctionCall3(timestamptz_recv, buffer, InvalidOid, -1);
            break;
        case core::PlaintextType::jsonb:
            value = read_jsonb(binary);
            message.cursor = message.len;
            break;
        case core::PlaintextType::bytea:
        case core::PlaintextType::text:
            value = PointerGetDatum(pg::copy_varlena(binary));
            message.cursor = message.len;
            break;
    }
    if (message.cursor != message.len)
        ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                        errmsg("incorrect binary data format")));
    discard({reinterpret_cast<uint8_t *>(message.data), binary.size});
    return value;
}

core::ByteSpan text_of_day(int julian) {
    int year, month, day;
    j2date(julian, &year, &month, &day);
    return copy_of(pg::view_of(year > 0 ? psprintf("%04d-%02d-%02d", year, month, day) : ""));
}

}  // namespace

core::ByteSpan plaintext_from_text(const Kind &kind, core::ByteView text) {
    char *copy = pnstrdup(reinterpret_cast<const char *>(text.data), text.size);
    Datum plain = read_text(kind, copy);
    core::wipe({reinterpret_cast<uint8_t *>(copy), text.size});
    pfree(copy);
    return plaintext_of(kind, plain);
}

core::ByteSpan plaintext_from_binary(const Kind &kind, core::ByteView binary) {
    return plaintext_of(kind, without_value(kind, [&] { return read_binary(kind, binary); }));
}

core::ByteSpan plaintext_of(const Kind &kind, Datum plain) {
    switch (kind.plaintext) {
        case core::PlaintextType::text:
        case core::PlaintextType::bytea:
            return copy_of_varlena(plain);
        case core::PlaintextType::numeric:
            return copy_of_varlena(DirectFunctionCall1(numeric_send, plain));
        case core::PlaintextType::date:
            return copy_of_varlena(DirectFunctionCall1(date_send, plain));
        case core::PlaintextType::timestamptz:
            return copy_of_varlena(DirectFunctionCall1(timestamptz_send, plain));
        case core::PlaintextType::jsonb:
            break;
    }
    StringInfoData text;
    initStringInfo(&text);
    appendStringInfoChar(&text, static_cast<char>(kJsonbVersion));
    Jsonb *value = DatumGetJsonbP(plain);
    JsonbToCString(&text, &value->root, VARSIZE(value));
    return {reinterpret_cast<uint8_t *>(text.data), static_cast<size_t>(text.len)};
}

Datum plain_of(const Kind &kind, core::ByteView plaintext) {
    return without_value(kind, [&] { return read_binary(kind, plaintext); });
}

core::ByteSpan text_to_mask(const Kind &kind, core::ByteView plaintext) {
    switch (kind.plaintext) {
        case core::PlaintextType::text:
            return copy_of(plaintext);
        case core::PlaintextType::numeric: {
            Datum number = plain_of(kind, plaintext);
            if (numeric_is_nan(DatumGetNumeric(number)) || numeric_is_inf(DatumGetNumeric(number)))
                break;
            char *text = DatumGetCString(DirectFunctionCall1(numeric_out, number));
            return copy_of(pg::view_of(text));
        }
        case core::PlaintextType::date: {
            DateADT date = DatumGetDateADT(plain_of(kind, plaintext));
            if (!DATE_NOT_FINITE(date)) return text_of_day(date + POSTGRES_EPOCH_JDATE);
            break;
        }
        case core::PlaintextType::timestamptz: {
            TimestampTz moment = DatumGetTimestampTz(plain_of(kind, plaintext));
            int64 day = moment / USECS_PER_DAY - (moment % USECS_PER_DAY < 0 ? 1 : 0);
            if (!TIMESTAMP_NOT_FINITE(moment))
                return text_of_day(static_cast<int>(day) + POSTGRES_EPOCH_JDATE);
            break;
        }
        case core::PlaintextType::bytea:
        case core::PlaintextType::jsonb:
            break;
    }
    return copy_of({});
}

}  // namespace aegis::sealed
