// SPDX-License-Identifier: Apache-2.0
#include "outbox.hpp"

#include "core/envelope.hpp"
#include "guc.hpp"
#include "key.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "sealed.hpp"

namespace aegis::outbox {

namespace {

pg::Statement find_kind = {
    "SELECT k.transport, k.in_clear FROM aegis.outbox_kind k WHERE k.name OPERATOR(pg_catalog.=) "
    "$1",
    1,
    {TEXTOID},
    nullptr};

pg::Statement find_destination = {
    "SELECT d.transport, pg_catalog.starts_with(d.url, 'http://') FROM aegis.destination d WHERE "
    "d.name OPERATOR(pg_catalog.=) $1",
    1,
    {TEXTOID},
    nullptr};

pg::Statement insert = {
    "INSERT INTO aegis.outbox (kind, tenant_id, destination, target, payload, idempotency_key, "
    "not_before, expires_at, created_by_role) SELECT k.name, $2, $3, $4, $5, $6, "
    "coalesce($7, pg_catalog.now()), coalesce($8, pg_catalog.now() OPERATOR(pg_catalog.+) "
    "k.lifetime), $9 FROM aegis.outbox_kind k WHERE k.name OPERATOR(pg_catalog.=) $1 "
    "ON CONFLICT ON CONSTRAINT outbox_key DO NOTHING RETURNING id",
    9,
    {TEXTOID, UUIDOID, TEXTOID, TEXTOID, BYTEAOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
     TEXTOID},
    nullptr};

pg::Statement find_same = {
    "SELECT o.id, o.tenant_id IS NOT DISTINCT FROM $3 FROM aegis.outbox o WHERE o.kind "
    "OPERATOR(pg_catalog.=) $1 AND o.idempotency_key OPERATOR(pg_catalog.=) $2",
    3,
    {TEXTOID, TEXTOID, UUIDOID},
    nullptr};

pg::Statement find_stale = {
    "SELECT EXISTS (SELECT FROM aegis.outbox o WHERE o.state OPERATOR(pg_catalog.=) ANY "
    "('{waiting,claimed}'::pg_catalog.text[]) AND o.not_before OPERATOR(pg_catalog.<) "
    "(pg_catalog.now() OPERATOR(pg_catalog.-) pg_catalog.make_interval(secs => $1))), "
    "EXISTS (SELECT FROM aegis.outbox o WHERE o.state OPERATOR(pg_catalog.=) ANY "
    "('{waiting,claimed}'::pg_catalog.text[]))",
    1,
    {FLOAT8OID},
    nullptr};

constexpr pg_uuid_t kNobody = {};  // the system's keys

// A payload belongs to its row: in another it does not open.
struct Bond {
    core::ByteView parts[2];
    core::Binding binding;
};

void bind(const pg_uuid_t &tenant, core::ByteView kind, core::ByteView key, Bond *bond) {
    bond->parts[0] = kind;
    bond->parts[1] = key;
    bond->binding.tenant = pg::view_of(tenant);
    bond->binding.row_parts = bond->parts;
    bond->binding.row_part_count = lengthof(bond->parts);
}

struct varlena *seal(const pg_uuid_t &tenant, core::ByteView kind, core::ByteView key,
                     core::ByteView payload) {
    core::EnvelopeHeader header = {};
    header.type = core::PlaintextType::bytea;
    header.flags = core::kFlagRowBound;
    header.epoch = key::kCurrentEpoch;
    const core::EnvelopeKey *cipher = key::outbound_cipher(tenant, &header.epoch);
    header.suite = cipher->suite();
    sealed::tenant_tag(tenant, header.tenant_tag);
    struct varlena *result = pg::alloc_varlena(core::envelope_size(header, payload.size));
    Bond bond;
    bind(tenant, kind, key, &bond);
    pg::raise(pg::run([&] {
        core::seal_envelope(*cipher, header, bond.binding, {}, payload, pg::payload(result));
    }));
    return result;
}

[[noreturn]] void cannot_open() {
    ereport(ERROR, (errcode(AEGIS_ERRCODE_CANNOT_OPEN),
                    errmsg("payload of an outbound job cannot be opened")));
    pg_unreachable();
}

struct varlena *open(const pg_uuid_t &tenant, core::ByteView kind, core::ByteView key,
                     core::ByteView envelope) {
    core::EnvelopeParts parts;
    uint8_t tag[core::kTenantTagBytes];
    sealed::tenant_tag(tenant, tag);
    if (pg::run([&] { parts = core::parse_envelope(envelope); }).failed ||
        memcmp(parts.header.tenant_tag, tag, sizeof tag) != 0 ||
        parts.header.flags != core::kFlagRowBound || parts.header.field != 0)
        cannot_open();
    uint32_t epoch = parts.header.epoch;
    const core::EnvelopeKey *cipher = key::outbound_cipher(tenant, &epoch);
    struct varlena *result = pg::alloc_varlena(core::envelope_plaintext_size(parts));
    Bond bond;
    bind(tenant, kind, key, &bond);
    if (pg::run([&] {
            core::open_envelope(*cipher, parts, bond.binding, pg::payload(result));
        }).failed)
        cannot_open();
    return result;
}

// Nobody is granted these, and an owner of a database could grant them to themselves.
void require_owner() {
    if (GetUserId() != role::owner())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only aegis_owner writes and opens outbound jobs"),
                        errhint("Call the function of the concept that decides what is sent.")));
}

const char *transport_of_kind(const char *kind, bool *in_clear) {
    Datum values[] = {CStringGetTextDatum(kind)};
    bool is_null;
    if (pg::execute(find_kind, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("kind \"%s\" of outbound job does not exist", kind),
                        errhint("aegis.outbox_status() lists the kinds.")));
    *in_clear = DatumGetBool(pg::column(0, 2, &is_null));
    return TextDatumGetCString(pg::column(0, 1, &is_null));
}

// What is not an address that an operator registered is not called.
void require_destination(const Job &job) {
    bool in_clear;
    const char *transport = transport_of_kind(job.kind, &in_clear);
    bool is_mail = strcmp(transport, "mail") == 0;
    if (is_mail != (job.destination == nullptr))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 is_mail ? errmsg("kind \"%s\" of outbound job takes no destination", job.kind)
                         : errmsg("kind \"%s\" of outbound job needs a destination", job.kind)));
    if (is_mail) return;
    Datum values[] = {CStringGetTextDatum(job.destination)};
    bool is_null;
    if (pg::execute(find_destination, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("destination \"%s\" is not registered", job.destination),
                        errhint("An operator registers it with aegis.register_destination().")));
    if (strcmp(TextDatumGetCString(pg::column(0, 1, &is_null)), transport) != 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("destination \"%s\" is not for jobs of kind \"%s\"", job.destination,
                               job.kind)));
    if (DatumGetBool(pg::column(0, 2, &is_null)) && !in_clear)
        ereport(
            ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("destination \"%s\" is reached without TLS", job.destination),
             errdetail("Jobs of kind \"%s\" may carry what others of this machine must not read.",
                       job.kind)));
}

int64 existing(const char *kind, const char *key, const pg_uuid_t *tenant) {
    Datum values[] = {CStringGetTextDatum(kind), CStringGetTextDatum(key), UUIDPGetDatum(tenant)};
    char nulls[] = {' ', ' ', tenant == nullptr ? 'n' : ' ', '\0'};
    bool is_null;
    if (pg::execute(find_same, values, nulls) != 1)
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("the outbound job was queued by another transaction"),
                        errhint("Try again.")));
    if (!DatumGetBool(pg::column(0, 2, &is_null)))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("idempotency key is that of a job of another tenant"),
                        errhint("Let the key begin with what it is about.")));
    return DatumGetInt64(pg::column(0, 1, &is_null));
}

}  // namespace

int64 queue(const Job &job) {
    if (job.payload.size > kMaxPayloadBytes)
        ereport(ERROR,
                (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                 errmsg("payload of an outbound job is larger than %zu bytes", kMaxPayloadBytes)));
    require_destination(job);
    const char *key = job.key;
    if (key == nullptr)
        key = DatumGetCString(
            DirectFunctionCall1(uuid_out, DirectFunctionCall1(gen_random_uuid, (Datum)0)));
    if (*key == '\0' || strlen(key) > kMaxKeyBytes)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("idempotency key must have 1 to %zu bytes", kMaxKeyBytes)));
    // It goes along in a header, between quotes.
    for (const char *c = key; *c != '\0'; c++)
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("idempotency key must be printable ASCII without quotes and "
                                   "backslashes")));
    const pg_uuid_t &tenant = job.tenant == nullptr ? kNobody : *job.tenant;
    struct varlena *sealed = seal(tenant, pg::view_of(job.kind), pg::view_of(key), job.payload);
    auto text = [](const char *value) {
        return value == nullptr ? (Datum)0 : CStringGetTextDatum(value);
    };
    Datum values[] = {CStringGetTextDatum(job.kind),
                      UUIDPGetDatum(job.tenant),
                      text(job.destination),
                      text(job.target),
                      PointerGetDatum(sealed),
                      CStringGetTextDatum(key),
                      TimestampTzGetDatum(job.not_before),
                      TimestampTzGetDatum(job.expires_at),
                      CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false))};
    char nulls[] = "         ";
    if (job.tenant == nullptr) nulls[1] = 'n';
    if (job.destination == nullptr) nulls[2] = 'n';
    if (job.target == nullptr) nulls[3] = 'n';
    if (TIMESTAMP_NOT_FINITE(job.not_before)) nulls[6] = 'n';
    if (TIMESTAMP_NOT_FINITE(job.expires_at)) nulls[7] = 'n';
    if (pg::execute(insert, values, nulls) == 0) return existing(job.kind, key, job.tenant);
    bool is_null;
    int64 id = DatumGetInt64(pg::column(0, 1, &is_null));
    Async_Notify("aegis_outbox", "");
    return id;
}

Standing standing() {
    pg::Identity before = pg::enter();
    Datum values[] = {Float8GetDatum(guc::outbox_patience_seconds)};
    pg::execute(find_stale, values);
    bool is_null;
    bool is_stale = DatumGetBool(pg::column(0, 1, &is_null));
    bool has_work = DatumGetBool(pg::column(0, 2, &is_null));
    pg::leave(before);
    return is_stale ? Standing::stale : has_work ? Standing::moving : Standing::idle;
}

const char *name_of(Standing standing) {
    switch (standing) {
        case Standing::idle:
            return "idle";
        case Standing::moving:
            return "moving";
        case Standing::stale:
            break;
    }
    return "stale";
}

}  // namespace aegis::outbox

using namespace aegis;

AEGIS_FUNCTION(aegis_queue_outbound) {
    outbox::require_owner();
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("kind and payload of an outbound job must not be null")));
    outbox::Job job = {};
    job.kind = text_to_cstring(PG_GETARG_TEXT_PP(0));
    job.payload = pg::varlena_view(PG_GETARG_DATUM(1));
    if (!PG_ARGISNULL(2)) job.destination = text_to_cstring(PG_GETARG_TEXT_PP(2));
    if (!PG_ARGISNULL(3)) job.target = text_to_cstring(PG_GETARG_TEXT_PP(3));
    if (!PG_ARGISNULL(4)) job.tenant = PG_GETARG_UUID_P(4);
    if (!PG_ARGISNULL(5)) job.key = text_to_cstring(PG_GETARG_TEXT_PP(5));
    if (!PG_ARGISNULL(6)) job.not_before = PG_GETARG_TIMESTAMPTZ(6);
    if (!PG_ARGISNULL(7)) job.expires_at = PG_GETARG_TIMESTAMPTZ(7);
    pg::Identity before = pg::enter();
    int64 id = outbox::queue(job);
    pg::leave(before);
    PG_RETURN_INT64(id);
}

// (tenant, kind, idempotency key, payload): in clear.
AEGIS_FUNCTION(aegis_seal_outbound) {
    outbox::require_owner();
    for (int i = 1; i <= 3; i++)
        if (PG_ARGISNULL(i))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("kind, key and payload must not be null")));
    const pg_uuid_t &tenant = PG_ARGISNULL(0) ? outbox::kNobody : *PG_GETARG_UUID_P(0);
    PG_RETURN_BYTEA_P(outbox::seal(tenant, pg::varlena_view(PG_GETARG_DATUM(1)),
                                   pg::varlena_view(PG_GETARG_DATUM(2)),
                                   pg::varlena_view(PG_GETARG_DATUM(3))));
}

AEGIS_FUNCTION(aegis_open_outbound) {
    outbox::require_owner();
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3)) outbox::cannot_open();
    const pg_uuid_t &tenant = PG_ARGISNULL(0) ? outbox::kNobody : *PG_GETARG_UUID_P(0);
    PG_RETURN_BYTEA_P(outbox::open(tenant, pg::varlena_view(PG_GETARG_DATUM(1)),
                                   pg::varlena_view(PG_GETARG_DATUM(2)),
                                   pg::varlena_view(PG_GETARG_DATUM(3))));
}
