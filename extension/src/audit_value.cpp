// SPDX-License-Identifier: Apache-2.0
#include "core/envelope.hpp"

#include "audit_value.hpp"

#include "pg/function.hpp"
#include "sealed.hpp"

namespace aegis::audit_value {

namespace {

constexpr int64 kUnixEpochDays = POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE;
constexpr int64 kUnixEpochMicros = kUnixEpochDays * SECS_PER_DAY * USECS_PER_SEC;

void write_text(core::CborWriter &writer, const char *text) {
    writer.text({text, strlen(text)});
}

void write_varlena_text(core::CborWriter &writer, Datum value) {
    core::ByteView bytes = pg::varlena_view(value);
    writer.text({reinterpret_cast<const char *>(bytes.data), bytes.size});
}

void write_envelope(core::CborWriter &writer, Datum value) {
    core::ByteView envelope = pg::varlena_view(value);
    uint8_t *stripped = static_cast<uint8_t *>(palloc(envelope.size + 1));
    size_t size = 0;
    pg::raise(pg::run([&] { size = core::strip_token(envelope, {stripped, envelope.size}); }));
    writer.bytes({stripped, size});
    pfree(stripped);
}

bytea *send_in_server_encoding(Oid send, Datum value, int client) {
    bytea *volatile bytes = nullptr;
    SetClientEncoding(GetDatabaseEncoding());
    PG_TRY();
    { bytes = OidSendFunctionCall(send, value); }
    PG_CATCH();
    {
        SetClientEncoding(client);
        PG_RE_THROW();
    }
    PG_END_TRY();
    SetClientEncoding(client);
    return bytes;
}

// Text inside a binary form follows the client's encoding unless we say otherwise.
void write_binary(core::CborWriter &writer, Oid send, Datum value) {
    int client = pg_get_client_encoding();
    bytea *bytes = client == GetDatabaseEncoding() ? OidSendFunctionCall(send, value)
                                                   : send_in_server_encoding(send, value, client);
    writer.bytes({reinterpret_cast<const uint8_t *>(VARDATA(bytes)), VARSIZE(bytes) - VARHDRSZ});
    pfree(bytes);
}

}  // namespace

Encoding encoding_of(Oid type) {
    if (sealed::find_type(type) != nullptr) return {Form::envelope, true, InvalidOid};
    Oid base = getBaseType(type);
    if (sealed::find_type(base) != nullptr) return {Form::envelope, true, InvalidOid};
    switch (base) {
        case BOOLOID:
            return {Form::boolean, true, InvalidOid};
        case INT2OID:
            return {Form::int16, true, InvalidOid};
        case INT4OID:
            return {Form::int32, true, InvalidOid};
        case INT8OID:
            return {Form::int64, true, InvalidOid};
        case OIDOID:
            return {Form::oid, true, InvalidOid};
        case UUIDOID:
            return {Form::uuid, true, InvalidOid};
        case DATEOID:
            return {Form::date, true, InvalidOid};
        case TIMESTAMPOID:
        case TIMESTAMPTZOID:
            return {Form::timestamp, true, InvalidOid};
        case TEXTOID:
        case VARCHAROID:
        case BPCHAROID:
        case JSONOID:
            return {Form::text, false, InvalidOid};
        case NAMEOID:
            return {Form::name, false, InvalidOid};
        case NUMERICOID:
            return {Form::numeric, false, InvalidOid};
        case JSONBOID:
            return {Form::jsonb, false, InvalidOid};
        case BYTEAOID:
            return {Form::bytes, false, InvalidOid};
        default:
            break;
    }
    if (type_is_enum(base)) return {Form::label, true, InvalidOid};
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(base));
    Oid send = InvalidOid;
    if (HeapTupleIsValid(tuple)) {
        send = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple))->typsend;
        ReleaseSysCache(tuple);
    }
    if (!OidIsValid(send))
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("type %s cannot be recorded in the ledger", format_type_be(type)),
                 errdetail("It has no binary form, and its text form may depend on the session.")));
    return {Form::binary, false, send};
}

void write(core::CborWriter &writer, const Encoding &encoding, Datum value) {
    switch (encoding.form) {
        case Form::boolean:
            writer.boolean(DatumGetBool(value));
            break;
        case Form::int16:
            writer.signed_int(DatumGetInt16(value));
            break;
        case Form::int32:
            writer.signed_int(DatumGetInt32(value));
            break;
        case Form::int64:
            writer.signed_int(DatumGetInt64(value));
            break;
        case Form::oid:
            writer.unsigned_int(DatumGetObjectId(value));
            break;
        case Form::uuid:
            writer.bytes({DatumGetUUIDP(value)->data, UUID_LEN});
            break;
        case Form::date: {
            DateADT date = DatumGetDateADT(value);
            if (DATE_NOT_FINITE(date))
                write_text(writer, DATE_IS_NOBEGIN(date) ? "-infinity" : "infinity");
            else
                writer.signed_int(date + kUnixEpochDays);
            break;
        }
        case Form::timestamp: {
            Timestamp time = DatumGetTimestamp(value);
            if (TIMESTAMP_NOT_FINITE(time))
                write_text(writer, TIMESTAMP_IS_NOBEGIN(time) ? "-infinity" : "infinity");
            else
                writer.signed_int(time + kUnixEpochMicros);
            break;
        }
        case Form::label:
            write_text(writer, DatumGetCString(DirectFunctionCall1(enum_out, value)));
            break;
        case Form::text:
            write_varlena_text(writer, value);
            break;
        case Form::name:
            write_text(writer, NameStr(*DatumGetName(value)));
            break;
        case Form::numeric:
            write_text(writer, DatumGetCString(DirectFunctionCall1(numeric_out, value)));
            break;
        case Form::jsonb: {
            Jsonb *json = DatumGetJsonbP(value);
            write_text(writer, JsonbToCString(nullptr, &json->root, VARSIZE(json)));
            break;
        }
        case Form::bytes:
            writer.bytes(pg::varlena_view(value));
            break;
        case Form::envelope:
            write_envelope(writer, value);
            break;
        case Form::binary:
            write_binary(writer, encoding.send, value);
            break;
    }
}

}  // namespace aegis::audit_value
