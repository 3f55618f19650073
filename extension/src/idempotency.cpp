// SPDX-License-Identifier: Apache-2.0
// The answer is kept in the transaction that did the work, so there is none without the other.
// Two requests under one key are told apart by a lock: the second is refused, not queued.
#include "idempotency.hpp"

#include "context.hpp"
#include "core/digest.hpp"
#include "core/envelope.hpp"
#include "key.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "scrub.hpp"
#include "sealed.hpp"

namespace aegis::idempotency {

namespace {

constexpr size_t kMaxKeyBytes = 255;
// A class of advisory locks that no function of SQL can take.
constexpr uint16 kLockClass = 1504;

pg::Statement find_answer = {
    "SELECT k.status, k.headers, k.answer FROM aegis.idempotency_key k WHERE k.tenant_id "
    "OPERATOR(pg_catalog.=) $1 AND k.scope OPERATOR(pg_catalog.=) $2 AND k.expires_at "
    "OPERATOR(pg_catalog.>) pg_catalog.now()",
    2,
    {UUIDOID, BYTEAOID},
    nullptr};

// A few of the tenant's expired ones go with each that comes, so that there is never much to clear.
pg::Statement drop_expired = {
    "DELETE FROM aegis.idempotency_key k WHERE k.tenant_id OPERATOR(pg_catalog.=) $1 AND k.scope "
    "OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT e.scope FROM aegis.idempotency_key e WHERE "
    "e.tenant_id OPERATOR(pg_catalog.=) $1 AND e.expires_at OPERATOR(pg_catalog.<=) "
    "pg_catalog.now() ORDER BY e.scope OPERATOR(pg_catalog.=) $2 DESC LIMIT 20 FOR UPDATE SKIP "
    "LOCKED))",
    2,
    {UUIDOID, BYTEAOID},
    nullptr};

pg::Statement insert_answer = {
    "INSERT INTO aegis.idempotency_key (tenant_id, scope, status, headers, answer, expires_at) "
    "VALUES ($1, $2, $3, $4, $5, pg_catalog.now() OPERATOR(pg_catalog.+) "
    "pg_catalog.make_interval(days => $6))",
    6,
    {UUIDOID, BYTEAOID, INT4OID, TEXTARRAYOID, BYTEAOID, INT4OID},
    nullptr};

// Where a route demands a key, money moves: repeats come for as long as providers retry.
int days_kept(const route::Route &route) {
    return route.idempotent ? 30 : 1;
}

core::ByteView line_of(const char *text) {
    return {reinterpret_cast<const uint8_t *>(text), strlen(text) + 1};  // with its end
}

const pg_uuid_t &principal() {
    const context::Context &context = context::require();
    static const pg_uuid_t nil = {};
    return memcmp(&context.user, &nil, sizeof nil) == 0 ? context.session : context.user;
}

bool is_key(const char *text) {
    size_t length = strlen(text);
    if (length == 0 || length > kMaxKeyBytes) return false;
    for (const char *c = text; *c != '\0'; c++)
        if (*c < 0x21 || *c > 0x7e) return false;
    return true;
}

void describe(const handle::Exchange &exchange, const route::Route &route, const char *text,
              Key *key) {
    core::ByteView scope[] = {pg::view_of(principal()), line_of(route.method), line_of(route.path),
                              line_of(text)};
    // The target as sent: the same key for another invoice is another request.
    core::ByteView request[] = {line_of(exchange.raw_target), exchange.body};
    pg::raise(pg::run([&] {
        core::Digest digest = core::sha256(scope, lengthof(scope));
        memcpy(key->scope, digest.bytes, sizeof key->scope);
        digest = core::sha256(request, lengthof(request));
        memcpy(key->fingerprint, digest.bytes, sizeof key->fingerprint);
    }));
    key->present = true;
}

bool lock(const pg_uuid_t &tenant, const Key &key) {
    uint8_t whole[32];
    core::ByteView parts[] = {pg::view_of(tenant), key.scope};
    pg::raise(pg::run([&] {
        core::Digest digest = core::sha256(parts, lengthof(parts));
        memcpy(whole, digest.bytes, sizeof whole);
    }));
    uint32 high, low;
    memcpy(&high, whole, sizeof high);
    memcpy(&low, whole + sizeof high, sizeof low);
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, high, low, kLockClass);
    return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

// An answer belongs to its row: in another it does not open.
struct Bond {
    core::ByteView parts[2];
    core::Binding binding;
};

void bind(const pg_uuid_t &tenant, const Key &key, Bond *bond) {
    bond->parts[0] = pg::view_of("idempotency");
    bond->parts[1] = key.scope;
    bond->binding.tenant = pg::view_of(tenant);
    bond->binding.row_parts = bond->parts;
    bond->binding.row_part_count = lengthof(bond->parts);
}

struct varlena *seal(const pg_uuid_t &tenant, const Key &key, core::ByteView plain) {
    core::EnvelopeHeader header = {};
    header.type = core::PlaintextType::bytea;
    header.flags = core::kFlagRowBound;
    header.epoch = key::kCurrentEpoch;
    const core::EnvelopeKey *cipher = key::outbound_cipher(tenant, &header.epoch);
    header.suite = cipher->suite();
    sealed::tenant_tag(tenant, header.tenant_tag);
    struct varlena *result = pg::alloc_varlena(core::envelope_size(header, plain.size));
    Bond bond;
    bind(tenant, key, &bond);
    pg::raise(pg::run([&] {
        core::seal_envelope(*cipher, header, bond.binding, {}, plain, pg::payload(result));
    }));
    return result;
}

[[noreturn]] void cannot_open() {
    ereport(ERROR, (errcode(AEGIS_ERRCODE_CANNOT_OPEN),
                    errmsg("the answer that was kept for a request cannot be opened")));
    pg_unreachable();
}

core::ByteView open(const pg_uuid_t &tenant, const Key &key, core::ByteView envelope) {
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
    bind(tenant, key, &bond);
    if (pg::run([&] {
            core::open_envelope(*cipher, parts, bond.binding, pg::payload(result));
        }).failed)
        cannot_open();
    core::ByteSpan plain = pg::payload(result);
    if (plain.size < sizeof key.fingerprint) cannot_open();
    return plain;
}

void take_headers(http::Answer *answer, ArrayType *list) {
    Datum *values;
    bool *nulls;
    int count;
    deconstruct_array(list, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
    for (int i = 0; i + 1 < count; i += 2)
        http::add_header(answer, TextDatumGetCString(values[i]),
                         TextDatumGetCString(values[i + 1]));
}

// In the caller's memory: SPI's goes with its connection.
struct Kept {
    bool found;
    int status;
    ArrayType *headers;
    struct varlena *answer;  // nullptr: somebody of whom it might speak was erased
};

Kept look_up(const pg_uuid_t &tenant, const Key &key) {
    MemoryContext caller = CurrentMemoryContext;
    Kept kept = {};
    Datum values[] = {UUIDPGetDatum(&tenant), PointerGetDatum(pg::copy_varlena(key.scope))};
    pg::Identity before = pg::enter();
    if (pg::execute(find_answer, values) == 1) {
        bool is_null;
        kept.found = true;
        kept.status = DatumGetInt32(pg::column(0, 1, &is_null));
        MemoryContext spi = MemoryContextSwitchTo(caller);
        kept.headers = DatumGetArrayTypePCopy(pg::column(0, 2, &is_null));
        Datum answer = pg::column(0, 3, &is_null);
        if (!is_null) kept.answer = pg::copy_varlena(pg::varlena_view(answer));
        MemoryContextSwitchTo(spi);
    }
    pg::leave(before);
    return kept;
}

void replay(handle::Exchange *exchange, const pg_uuid_t &tenant, const Key &key, const Kept &kept) {
    if (kept.answer == nullptr) {
        handle::refuse(exchange, http::kGone,
                       "The request was carried out; its answer is not kept any more.");
        return;
    }
    core::ByteView plain = open(tenant, key, pg::varlena_view(PointerGetDatum(kept.answer)));
    if (memcmp(plain.data, key.fingerprint, sizeof key.fingerprint) != 0) {
        handle::refuse(exchange, http::kIdempotencyKeyReused);
        return;
    }
    exchange->answer = {};
    exchange->answer.status = kept.status;
    take_headers(&exchange->answer, kept.headers);
    http::add_header(&exchange->answer, "idempotency-replayed", "true");
    exchange->answer.body = {plain.data + sizeof key.fingerprint,
                             plain.size - sizeof key.fingerprint};
}

// A conflict of the moment, a want of resources, a confirmation that is due: the client is told to
// come again.
bool is_for_now(const http::Answer &answer) {
    return answer.status >= 500 || answer.status == 401 ||
           http::find_header(answer, "retry-after") != nullptr;
}

}  // namespace

bool begin(handle::Exchange *exchange, const route::Route &route, Key *key) {
    key->present = false;
    if (strcmp(route.method, "GET") == 0 || route.is_public) return true;
    const char *text = http::header(exchange->headers, "idempotency-key");
    if (text == nullptr) {
        if (route.idempotent) handle::refuse(exchange, http::kIdempotencyKeyRequired);
        return !route.idempotent;
    }
    // A service of no tenant has no rows that a repeat could double.
    const context::Context *context = context::current();
    if (context == nullptr && !route.idempotent) return true;
    if (context == nullptr || !is_key(text)) {
        handle::refuse(exchange, http::kMalformedRequest,
                       context == nullptr ? "there is no tenant to keep the answer for"
                                          : "Idempotency-Key is 1 to 255 printable characters");
        return false;
    }
    pg_uuid_t tenant = context->tenant;
    describe(*exchange, route, text, key);
    if (!lock(tenant, *key)) {
        handle::refuse(exchange, http::kIdempotencyKeyInUse);
        http::add_header(&exchange->answer, "retry-after", "1");
        return false;
    }
    Kept kept = look_up(tenant, *key);
    if (!kept.found) return true;
    replay(exchange, tenant, *key, kept);
    return false;
}

void keep(const handle::Exchange &exchange, const route::Route &route, const Key &key) {
    const http::Answer &answer = exchange.answer;
    if (!key.present || is_for_now(answer)) return;
    pg_uuid_t tenant = context::require().tenant;
    core::ByteView body = answer.body;
    if (const char *type = http::find_header(answer, "content-type"))
        if (strncmp(type, "application/", strlen("application/")) == 0 && strstr(type, "json"))
            if (text *clean = scrub::scrubbed(body))
                body = pg::varlena_view(PointerGetDatum(clean));
    struct varlena *plain = pg::alloc_varlena(sizeof key.fingerprint + body.size);
    memcpy(VARDATA(plain), key.fingerprint, sizeof key.fingerprint);
    if (body.size) memcpy(VARDATA(plain) + sizeof key.fingerprint, body.data, body.size);

    Datum *texts = static_cast<Datum *>(palloc(sizeof(Datum) * 2 * (answer.header_count + 1)));
    int count = 0;
    for (int i = 0; i < answer.header_count; i++) {
        texts[count++] = CStringGetTextDatum(answer.headers[i].name);
        texts[count++] = CStringGetTextDatum(answer.headers[i].value);
    }
    Datum values[] = {
        UUIDPGetDatum(&tenant),
        PointerGetDatum(pg::copy_varlena(key.scope)),
        Int32GetDatum(answer.status),
        PointerGetDatum(construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT)),
        PointerGetDatum(seal(tenant, key, pg::varlena_view(PointerGetDatum(plain)))),
        Int32GetDatum(days_kept(route))};
    pg::Identity before = pg::enter();
    pg::execute(drop_expired, values);
    pg::execute(insert_answer, values);
    pg::leave(before);
}

}  // namespace aegis::idempotency
