// SPDX-License-Identifier: Apache-2.0
// Composes an entry from what the caller says and what the session is, and writes it. What comes
// from the verified context and what PostgreSQL itself knows (session user) stand side by side, so
// that a lie of one shows against the other.
#include "core/envelope.hpp"
#include "core/xaes.hpp"

#include "ledger.hpp"

#include "audit.hpp"
#include "catalogue.hpp"
#include "context.hpp"
#include "ledger_entry.hpp"
#include "guc.hpp"
#include "key.hpp"
#include "key_cache.hpp"
#include "ledger_caller.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "seal.hpp"
#include "sealed.hpp"
#include "watch.hpp"
#include "worker.hpp"

namespace aegis::ledger {

namespace {

constexpr size_t kStackBody = 2048;
constexpr size_t kIpBytes = 64;
constexpr size_t kUserAgentBytes = 512;
constexpr size_t kConnectionBytes = 64;
constexpr size_t kOriginBytes = 1024;

constexpr int64_t kUnixEpochMicros =
    static_cast<int64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY * USECS_PER_SEC;

// Ordinal of the next entry in the current top-level transaction.
struct {
    uint64 xid;
    uint32_t next;
} ordinal;

// Origin of the current context, sealed once: one request usually writes several entries.
struct {
    uint64_t key_version;
    pg_uuid_t tenant;
    char ip[kIpBytes];
    char user_agent[kUserAgentBytes];
    bool own;
    char application[NAMEDATALEN];
    size_t size;
    uint8_t envelope[kOriginBytes];
} origin;

bool is_nil(const pg_uuid_t &uuid) {
    static const pg_uuid_t nil = {};
    return memcmp(&uuid, &nil, sizeof nil) == 0;
}

std::string_view text_of(const char *text) {
    return text == nullptr ? std::string_view() : std::string_view(text);
}

// Fails closed when the sealer has not reached now minus the limit.
void check_lag() {
    if (guc::seal_lag_limit_ms == 0) return;
    const worker::Slot *slot = worker::slot();
    if (slot != nullptr && slot->pid.load() == MyProcPid)
        return;  // the sealer itself writes what others left behind
    int64_t sealed = slot != nullptr ? slot->sealed_micros.load() : 0;
    int64_t limit = static_cast<int64_t>(guc::seal_lag_limit_ms) * 1000;
    if (sealed == 0 || worker::now_micros() - sealed > limit)
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_SEALING_LAGS),
                 errmsg("sealing of the ledger lags behind its limit"),
                 errdetail("aegis.seal_lag_limit makes writes fail rather than stay unsealed."),
                 errhint("See aegis.health() and the server's log for the state of the worker.")));
}

// Where this session's connection comes from: empty by a Unix socket, and in a worker.
const char *connection_address() {
    static char address[kConnectionBytes];
    static bool known = false;
    if (known) return address;
    LOCAL_FCINFO(call, 0);
    InitFunctionCallInfoData(*call, nullptr, 0, InvalidOid, nullptr, nullptr);
    Datum peer = inet_client_addr(call);
    if (!call->isnull)
        strlcpy(address, TextDatumGetCString(DirectFunctionCall1(network_host, peer)),
                sizeof address);
    known = true;
    return address;
}

// The envelope of where a request says that it comes from, beside what PostgreSQL knows of the
// connection; empty when nothing is said. own: it is this session that is described.
core::ByteView seal_origin(const pg_uuid_t &tenant, const char *ip, const char *user_agent,
                           bool own) {
    bool has_ip = ip != nullptr && *ip != '\0',
         has_agent = user_agent != nullptr && *user_agent != '\0';
    if (!has_ip && !has_agent) return {};
    char ip_text[kIpBytes] = {}, agent_text[kUserAgentBytes] = {};
    if (has_ip) strlcpy(ip_text, ip, sizeof ip_text);
    if (has_agent)  // cut between characters
        memcpy(
            agent_text, user_agent,
            pg_mbcliplen(user_agent, static_cast<int>(strlen(user_agent)), sizeof agent_text - 1));
    const char *application = own && MyProcPort != nullptr ? application_name : "";

    uint64_t version = key_cache::version();
    if (origin.size > 0 && version == origin.key_version &&
        memcmp(&origin.tenant, &tenant, sizeof tenant) == 0 && strcmp(origin.ip, ip_text) == 0 &&
        strcmp(origin.user_agent, agent_text) == 0 && origin.own == own &&
        strcmp(origin.application, application) == 0)
        return {origin.envelope, origin.size};

    uint8_t plain[kIpBytes + kUserAgentBytes + kConnectionBytes + NAMEDATALEN + 32];
    core::OriginFields said;
    said.ip = ip_text;
    said.user_agent = agent_text;
    if (own) said.connection = connection_address();
    said.application = application;
    size_t plain_size = core::encode_origin(said, core::ByteSpan(plain));
    origin.size = 0;
    if (personal_room(plain_size) > sizeof origin.envelope)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("origin of a ledger entry is too long")));
    size_t size = seal_personal(tenant, {plain, plain_size}, origin.envelope);
    origin.key_version = version;
    origin.tenant = tenant;
    strlcpy(origin.ip, ip_text, sizeof origin.ip);
    strlcpy(origin.user_agent, agent_text, sizeof origin.user_agent);
    strlcpy(origin.application, application, sizeof origin.application);
    origin.own = own;
    origin.size = size;
    return {origin.envelope, size};
}

void write(const core::EntryFields &fields, const pg_uuid_t *tenant, Written *written) {
    uint8_t stack[kStackBody];
    core::ByteSpan body(stack);
    size_t size = core::encode_entry(fields, body);
    uint8_t *heap = nullptr;
    if (size > sizeof stack) {
        if (size > MaxAllocSize / 2)
            ereport(ERROR,
                    (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("ledger entry is too long")));
        heap = static_cast<uint8_t *>(palloc(size));
        body = {heap, size};
        core::encode_entry(fields, body);
    }
    body.size = size;
    core::Digest leaf;
    pg::raise(pg::run([&] { leaf = core::leaf_hash(body); }));
    int64 seq =
        ledger_entry::insert({fields.xid, static_cast<int32>(fields.epoch),
                              static_cast<int32>(fields.ordinal), tenant, leaf.view(), body});
    if (written != nullptr) {
        void *copy = palloc(size);
        memcpy(copy, body.data, size);
        *written = {seq, {static_cast<uint8_t *>(copy), size}};
    }
    if (heap != nullptr) pfree(heap);
}

}  // namespace

size_t personal_room(size_t plaintext_bytes) {
    core::EnvelopeHeader header = {};
    header.suite = core::Suite::xaes_256_gcm_committing;
    return core::envelope_size(header, plaintext_bytes);
}

size_t seal_personal(const pg_uuid_t &tenant, core::ByteView plaintext, core::ByteSpan room) {
    core::EnvelopeHeader header = {};
    header.type = core::PlaintextType::bytea;
    const core::EnvelopeKey *cipher = key::audit_cipher(tenant, &header.epoch);
    if (cipher == nullptr)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_KEY_MISSING), errmsg("audit key is missing"),
                        errhint("An entry with personal data is never written in clear. Check "
                                "aegis.key_provider.")));
    header.suite = cipher->suite();
    sealed::tenant_tag(tenant, header.tenant_tag);
    size_t size = core::envelope_size(header, plaintext.size);
    pg::raise(pg::run([&] {
        core::Binding binding;
        binding.tenant = pg::view_of(tenant);
        core::seal_envelope(*cipher, header, binding, {}, plaintext, room.slice(0, size));
    }));
    return size;
}

int64_t unix_micros(TimestampTz time) {
    return time + kUnixEpochMicros;
}

void append(const Event &event, Written *written) {
    if (RecoveryInProgress())
        ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                        errmsg("cannot write a ledger entry during recovery"),
                        errhint("Send what is recorded to the primary server.")));
    if (IsParallelWorker())
        ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
                        errmsg("cannot write a ledger entry in a parallel worker")));
    [[maybe_unused]] const catalogue::EventType &type = catalogue::require(event.type);
#ifdef AEGIS_TESTING
    catalogue::check_detail(type, event.detail);
#endif
    // What a restore's own statements would write comes with it, under the same numbers.
    if (guc::restore_mode) {
        if (context::current() != nullptr)
            ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_CHARGED),
                            errmsg("the server runs in restore mode and writes no ledger entries"),
                            errhint("Switch aegis.restore_mode off and restart the server when "
                                    "everything is restored.")));
        return;
    }
    if (!event.even_when_lagging) check_lag();

    // Key look-ups and toasting read tables; before commit there is no snapshot.
    bool pushed = !ActiveSnapshotSet();
    if (pushed) PushActiveSnapshot(GetTransactionSnapshot());

    const context::Context *context = context::current();
    const pg_uuid_t *tenant = event.tenant, *user = event.user, *session = event.session;
    const char *ip = event.ip, *user_agent = event.user_agent, *request_id = event.request_id;
    core::EntryFields fields;
    if (context != nullptr) {
        tenant = tenant != nullptr ? tenant : &context->tenant;
        user = user != nullptr ? user : &context->user;
        session = session != nullptr ? session : &context->session;
        ip = ip != nullptr ? ip : context->ip;
        user_agent = user_agent != nullptr ? user_agent : context->user_agent;
        request_id = request_id != nullptr ? request_id : context->request_id;
        fields.rank = context->rank;
        fields.way = static_cast<int>(context->way);
        fields.job = static_cast<uint64_t>(context->job);
    }
    if (tenant != nullptr && is_nil(*tenant)) tenant = nullptr;
    static const pg_uuid_t nil = {};

    fields.epoch = static_cast<uint64_t>(ledger_entry::open_epoch());
    if (tenant != nullptr) fields.tenant = pg::view_of(*tenant);
    fields.event = event.type;
    fields.unix_micros =
        event.unix_micros != 0 ? event.unix_micros : unix_micros(GetCurrentTimestamp());
    fields.outcome = event.outcome;
    fields.session_user =
        text_of(event.session_user != nullptr ? event.session_user
                                              : GetUserNameFromId(GetSessionUserId(), true));
    if (user != nullptr && !is_nil(*user)) fields.user = pg::view_of(*user);
    if (session != nullptr && !is_nil(*session)) fields.session = pg::view_of(*session);
    fields.request_id = text_of(request_id);
    fields.origin =
        seal_origin(tenant != nullptr ? *tenant : nil, ip, user_agent, !event.of_another);
    fields.target_kind = text_of(event.target_kind);
    fields.target_id = text_of(event.target_id);
    fields.detail = event.detail;
    fields.image = event.image;
    fields.xid = U64FromFullTransactionId(GetTopFullTransactionId());
    if (ordinal.xid != fields.xid) ordinal = {fields.xid, 0};
    fields.ordinal = ordinal.next++;

    write(fields, tenant, written);
    if (pushed) PopActiveSnapshot();
}

core::ByteView encode_detail(const DetailPair *pairs, int count, core::ByteSpan buffer) {
    // Canonical order of text keys: shorter first, then bytewise.
    constexpr int kMaxPairs = 32;
    int order[kMaxPairs];
    if (count > kMaxPairs)
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR), errmsg("too many details for a ledger entry")));
    for (int i = 0; i < count; i++) {
        int at = i;
        size_t length = strlen(pairs[i].key);
        while (at > 0) {
            const char *other = pairs[order[at - 1]].key;
            size_t other_length = strlen(other);
            if (other_length < length ||
                (other_length == length && strcmp(other, pairs[i].key) < 0))
                break;
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
    core::CborWriter writer{buffer};
    writer.map(static_cast<uint64_t>(count));
    for (int i = 0; i < count; i++) {
        const DetailPair &pair = pairs[order[i]];
        writer.text(pair.key);
        if (pair.text != nullptr)
            writer.text(pair.text);
        else
            writer.signed_int(pair.number);
    }
    if (writer.overflowed())
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR), errmsg("details of a ledger entry do not fit")));
    return {buffer.data, writer.needed};
}

void define() {
    ledger_tables::define();
    ledger_caller::define();
    ledger_entry::define();
    catalogue::define();
    seal::define();
    audit::define();
    watch::define();
}

}  // namespace aegis::ledger
