// SPDX-License-Identifier: Apache-2.0
// Codes are claimed by the statement that marks them used, so that of two requests with one code at
// most one is right.
#include "core/encoding.hpp"
#include "core/random.hpp"
#include "core/recovery_code.hpp"
#include "core/totp.hpp"
#include "second_factor.hpp"

#include "field.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "user.hpp"

namespace aegis::second_factor {

namespace {

constexpr char kField[] = "user.totp_secret";
constexpr int64 kPendingMicros = 15 * USECS_PER_MINUTE;
constexpr size_t kUriBytes = 2048;  // 200 bytes of a name and 320 of an address, encoded, fit

pg::Statement read_state = {
    "SELECT EXISTS (SELECT FROM aegis.second_factor f WHERE f.tenant_id OPERATOR(pg_catalog.=) $1"
    "    AND f.user_id OPERATOR(pg_catalog.=) $2 AND f.status OPERATOR(pg_catalog.=) 'active'),"
    "  EXISTS (SELECT FROM aegis.second_factor_policy p WHERE p.tenant_id OPERATOR(pg_catalog.=) $1"
    "    AND p.minimum_rank OPERATOR(pg_catalog.<=) $3)",
    3,
    {UUIDOID, UUIDOID, INT2OID},
    nullptr};

pg::Statement read_secret = {
    "SELECT f.secret, f.last_step FROM aegis.second_factor f"
    " WHERE f.tenant_id OPERATOR(pg_catalog.=) $1 AND f.user_id OPERATOR(pg_catalog.=) $2"
    "   AND f.status OPERATOR(pg_catalog.=) $3 AND f.created_at OPERATOR(pg_catalog.>) $4 FOR "
    "UPDATE",
    4,
    {UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID},
    nullptr};

pg::Statement claim_step = {
    "UPDATE aegis.second_factor SET last_step = $3"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND user_id OPERATOR(pg_catalog.=) $2"
    "   AND status OPERATOR(pg_catalog.=) 'active' AND last_step OPERATOR(pg_catalog.<) $3",
    3,
    {UUIDOID, UUIDOID, INT8OID},
    nullptr};

pg::Statement claim_recovery_code = {
    "DELETE FROM aegis.recovery_code"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND user_id OPERATOR(pg_catalog.=) $2"
    "   AND code_hash OPERATOR(pg_catalog.=) $3",
    3,
    {UUIDOID, UUIDOID, BYTEAOID},
    nullptr};

// The sealed types are members of the extension, so their OIDs are known only at run time.
pg::Statement insert_pending = {
    "INSERT INTO aegis.second_factor (tenant_id, user_id, status, secret) VALUES ($1, $2, "
    "'pending', $3)",
    3,
    {UUIDOID, UUIDOID, InvalidOid},
    nullptr};

pg::Statement delete_status = {
    "DELETE FROM aegis.second_factor"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND user_id OPERATOR(pg_catalog.=) $2"
    "   AND status OPERATOR(pg_catalog.=) $3",
    3,
    {UUIDOID, UUIDOID, TEXTOID},
    nullptr};

pg::Statement activate = {
    "UPDATE aegis.second_factor SET status = 'active', confirmed_at = $3, last_step = $4"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND user_id OPERATOR(pg_catalog.=) $2"
    "   AND status OPERATOR(pg_catalog.=) 'pending'",
    4,
    {UUIDOID, UUIDOID, TIMESTAMPTZOID, INT8OID},
    nullptr};

pg::Statement read_label = {
    "SELECT t.name, u.email FROM aegis.user u JOIN aegis.tenant t ON t.id OPERATOR(pg_catalog.=) "
    "u.tenant_id"
    " WHERE u.tenant_id OPERATOR(pg_catalog.=) $1 AND u.id OPERATOR(pg_catalog.=) $2",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

pg::Statement delete_recovery_codes = {
    "DELETE FROM aegis.recovery_code WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND user_id "
    "OPERATOR(pg_catalog.=) $2",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

pg::Statement insert_recovery_code = {
    "INSERT INTO aegis.recovery_code (tenant_id, user_id, code_hash) VALUES ($1, $2, $3)",
    3,
    {UUIDOID, UUIDOID, BYTEAOID},
    nullptr};

const field::Field &require_field(const char *name) {
    const field::Field *found = field::find(field::reference_of(name));
    if (found == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("field \"%s\" is not registered", name)));
    return *found;
}

// Entries of a sign-in have no context, so they name whom they are about.
void record(const char *event, const pg_uuid_t &tenant, const pg_uuid_t &user) {
    char id[37];
    user::format(user, id);
    ledger::Event entry = {event};
    entry.tenant = &tenant;
    entry.user = &user;
    entry.target_kind = "user";
    entry.target_id = id;
    ledger::append(entry);
}

// Compares a code with a stored secret of this status.
core::TotpMatch match(const pg_uuid_t &tenant, const pg_uuid_t &user, const char *status,
                      TimestampTz since, const char *code, TimestampTz now) {
    core::TotpMatch found = {core::TotpVerdict::wrong, 0};
    Datum values[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&user), CStringGetTextDatum(status),
                      TimestampTzGetDatum(since)};
    if (code == nullptr || pg::execute(read_secret, values) != 1) return found;
    bool is_null;
    core::ByteView envelope = pg::varlena_view(pg::column(0, 1, &is_null));
    int64 last_step = DatumGetInt64(pg::column(0, 2, &is_null));
    core::ByteSpan secret = field::open(tenant, require_field(kField), envelope, field::Bond());
    int64 seconds = ledger::unix_micros(now) / USECS_PER_SEC;
    pg::Report report =
        pg::run([&] { found = core::match_totp(secret, code, seconds, last_step); });
    sealed::discard(secret);
    pg::raise(report);
    return found;
}

bool use_recovery_code(const pg_uuid_t &tenant, const pg_uuid_t &user, const char *code) {
    char digits[core::kRecoveryCodeDigits];
    if (code == nullptr || !core::read_recovery_code(code, digits)) return false;
    struct varlena *hash = pg::alloc_varlena(core::kDigestBytes);
    core::ByteSpan out = pg::payload(hash);
    pg::raise(pg::run([&] {
        core::Digest digest = core::recovery_code_hash(pg::view_of(user), digits);
        memcpy(out.data, digest.bytes, out.size);
    }));
    Datum values[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&user), PointerGetDatum(hash)};
    if (pg::execute(claim_recovery_code, values) != 1) return false;
    record("auth.recovery_code_used", tenant, user);
    return true;
}

// What the app shows beside the code: the organisation, and the address at it.
char *address_of(const pg_uuid_t &tenant, const pg_uuid_t &user, core::ByteView secret) {
    Datum values[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&user)};
    if (pg::execute(read_label, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("user does not exist")));
    bool is_null;
    const char *issuer = TextDatumGetCString(pg::column(0, 1, &is_null));
    core::ByteView envelope = pg::varlena_view(pg::column(0, 2, &is_null));
    core::ByteSpan email =
        field::open(tenant, require_field("user.email"), envelope, field::Bond());
    char *uri = static_cast<char *>(palloc(kUriBytes));
    size_t size =
        core::totp_uri(secret, issuer, {reinterpret_cast<const char *>(email.data), email.size},
                       core::ByteSpan(reinterpret_cast<uint8_t *>(uri), kUriBytes - 1));
    sealed::discard(email);
    uri[Min(size, kUriBytes - 1)] = '\0';
    return uri;
}

}  // namespace

State state_of(const pg_uuid_t &tenant, const pg_uuid_t &user, int16 rank) {
    Datum values[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&user), Int16GetDatum(rank)};
    pg::execute(read_state, values);
    bool is_null;
    return {DatumGetBool(pg::column(0, 1, &is_null)), DatumGetBool(pg::column(0, 2, &is_null))};
}

const char *word(Verdict verdict) {
    return verdict == Verdict::replayed ? "replayed" : "code";
}

Verdict check(const pg_uuid_t &tenant, const pg_uuid_t &user, const char *code, TimestampTz now) {
    core::TotpMatch found = match(tenant, user, "active", DT_NOBEGIN, code, now);
    if (found.verdict == core::TotpVerdict::replayed) return Verdict::replayed;
    if (found.verdict == core::TotpVerdict::right) {
        Datum values[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&user), Int64GetDatum(found.step)};
        return pg::execute(claim_step, values) == 1 ? Verdict::right : Verdict::replayed;
    }
    return use_recovery_code(tenant, user, code) ? Verdict::right : Verdict::wrong;
}

void begin(const pg_uuid_t &tenant, const pg_uuid_t &user, MemoryContext memory, char **secret,
           char **uri, char **qr) {
    uint8_t raw[core::kTotpSecretBytes];
    pg::raise(pg::run([&] { core::random_secret(raw); }));
    Datum pending[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&user),
                       CStringGetTextDatum("pending")};
    pg::execute(delete_status, pending);
    insert_pending.arguments[2] =
        GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("sealed_bytea"),
                        ObjectIdGetDatum(get_namespace_oid("aegis", false)));
    Datum values[] = {
        UUIDPGetDatum(&tenant), UUIDPGetDatum(&user),
        PointerGetDatum(field::seal(tenant, require_field(kField), raw, field::Bond()))};
    pg::execute(insert_pending, values);
    char digits[core::kTotpSecretDigits + 1];
    core::to_base32(raw, digits);
    digits[core::kTotpSecretDigits] = '\0';
    char *address = address_of(tenant, user, raw);
    core::wipe(raw);
    MemoryContext inner = MemoryContextSwitchTo(memory);
    *secret = pstrdup(digits);
    *uri = pstrdup(address);
    *qr = draw_qr(address);
    MemoryContextSwitchTo(inner);
}

bool confirm(const pg_uuid_t &tenant, const pg_uuid_t &user, const char *code, TimestampTz now,
             bool replaces) {
    core::TotpMatch found = match(tenant, user, "pending", now - kPendingMicros, code, now);
    if (found.verdict != core::TotpVerdict::right) return false;
    Datum active[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&user), CStringGetTextDatum("active")};
    if (replaces) pg::execute(delete_status, active);
    Datum values[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&user), TimestampTzGetDatum(now),
                      Int64GetDatum(found.step)};
    pg::execute(activate, values);
    record("auth.second_factor_set", tenant, user);
    return true;
}

Datum renew_recovery_codes(const pg_uuid_t &tenant, const pg_uuid_t &user, MemoryContext memory) {
    Datum id[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&user)};
    pg::execute(delete_recovery_codes, id);
    Datum codes[kRecoveryCodes];
    for (Datum &made : codes) {
        char text[core::kRecoveryCodeBytes + 1], digits[core::kRecoveryCodeDigits];
        char(&code)[core::kRecoveryCodeBytes] =
            *reinterpret_cast<char(*)[core::kRecoveryCodeBytes]>(text);
        struct varlena *hash = pg::alloc_varlena(core::kDigestBytes);
        core::ByteSpan out = pg::payload(hash);
        pg::raise(pg::run([&] {
            core::make_recovery_code(code);
            core::read_recovery_code({code, sizeof code}, digits);
            core::Digest digest = core::recovery_code_hash(pg::view_of(user), digits);
            memcpy(out.data, digest.bytes, out.size);
        }));
        text[core::kRecoveryCodeBytes] = '\0';
        made = CStringGetTextDatum(text);
        Datum values[] = {id[0], id[1], PointerGetDatum(hash)};
        pg::execute(insert_recovery_code, values);
    }
    record("auth.recovery_codes_made", tenant, user);
    // Not before: every statement leaves the memory of its connection as the current one.
    MemoryContext inner = MemoryContextSwitchTo(memory);
    ArrayType *result = construct_array(codes, kRecoveryCodes, TEXTOID, -1, false, TYPALIGN_INT);
    MemoryContextSwitchTo(inner);
    return PointerGetDatum(result);
}

Datum enrolment_tuple(FunctionCallInfo fcinfo, const char *secret, const char *uri,
                      const char *qr) {
    Datum values[] = {CStringGetTextDatum(secret), CStringGetTextDatum(uri),
                      CStringGetTextDatum(qr)};
    bool nulls[3] = {};
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("result is not a record")));
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

}  // namespace aegis::second_factor
