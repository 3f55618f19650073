// SPDX-License-Identifier: Apache-2.0
// The cache is one of its own: a scan over many people must not push out the keys of their tenant.
#include "core/digest.hpp"
#include "core/random.hpp"
#include "core/xaes.hpp"
#include "key_subject.hpp"

#include "key.hpp"
#include "key_cache.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"
#include "pg/statement.hpp"

namespace aegis::key {

namespace {

// Columns of aegis.subject_key.
enum Column { kTenant = 1, kName = 2, kGeneration = 3, kEpoch = 4, kWrapped = 5 };

constexpr uint32_t kSets = 512;
constexpr uint32_t kWays = 4;
constexpr size_t kIdBytes = 32;

struct Entry {
    uint64_t used;  // 0: empty; larger is more recent
    pg_uuid_t tenant;
    uint8_t id[kIdBytes];  // of the subject
    uint32_t field;        // 0: the root of the subject
    uint32_t asked_epoch;
    uint32_t epoch;
    core::EnvelopeKey *cipher;
    uint8_t root[core::kKeyBytes];
};

Entry *entries = nullptr;
uint64_t tick = 0;
uint64_t seen_version = 0;
bool stale = false;
Oid subject_table = InvalidOid;

pg::Statement insert_key = {
    "INSERT INTO aegis.subject_key (tenant_id, name, generation, epoch, wrapped) VALUES "
    "($1, $2, $3, $4, $5) ON CONFLICT (tenant_id, name, generation) DO NOTHING",
    5,
    {UUIDOID, BYTEAOID, INT4OID, INT4OID, BYTEAOID},
    nullptr};

void drop(Entry *entry) {
    delete entry->cipher;  // wipes its key schedules; does not throw
    core::wipe({reinterpret_cast<uint8_t *>(entry), sizeof *entry});
}

void empty() {
    stale = false;
    if (entries == nullptr) return;
    for (uint32_t i = 0; i < kSets * kWays; i++)
        if (entries[i].used != 0) drop(&entries[i]);
}

void at_exit(int, Datum) {
    empty();
}

// Called in the midst of other code that may hold an entry: only marks.
void table_changed(Datum, Oid relid) {
    if (relid == InvalidOid || relid == subject_table) stale = true;
}

void refresh() {
    if (entries == nullptr) {
        entries = static_cast<Entry *>(key_cache::locked_memory(sizeof(Entry) * kSets * kWays));
        before_shmem_exit(at_exit, 0);
    }
    uint64_t version = key_cache::version();
    if (version != seen_version || stale) empty();
    seen_version = version;
}

// Short subjects stand for themselves, longer ones by their hash.
void identify(core::ByteView subject, uint8_t id[kIdBytes]) {
    if (subject.size < kIdBytes) {
        memset(id, 0, kIdBytes);
        id[0] = static_cast<uint8_t>(subject.size);
        memcpy(id + 1, subject.data, subject.size);
        return;
    }
    pg::raise(pg::run([&] {
        core::Digest digest = core::sha256(subject);
        memcpy(id, digest.bytes, kIdBytes);
    }));
    id[0] |= 0x80;
}

Entry *set_of(const pg_uuid_t &tenant, const uint8_t id[kIdBytes], uint32_t field, uint32_t epoch) {
    uint64_t mixed = core::get_u32(tenant.data + 12) ^ field ^ epoch * 31u;
    for (size_t i = 0; i < kIdBytes; i += 8) {
        uint64_t part;
        memcpy(&part, id + i, sizeof part);
        mixed = (mixed ^ part) * UINT64CONST(0x9E3779B97F4A7C15);
        mixed ^= mixed >> 29;
    }
    return entries + (mixed ^ mixed >> 32) % kSets * kWays;
}

Entry *find(Entry *set, const pg_uuid_t &tenant, const uint8_t id[kIdBytes], uint32_t field,
            uint32_t epoch) {
    for (uint32_t i = 0; i < kWays; i++) {
        Entry *entry = &set[i];
        if (entry->used != 0 && entry->field == field && entry->asked_epoch == epoch &&
            memcmp(entry->id, id, kIdBytes) == 0 &&
            memcmp(&entry->tenant, &tenant, sizeof tenant) == 0) {
            entry->used = ++tick;
            return entry;
        }
    }
    return nullptr;
}

Entry *take(Entry *set, const pg_uuid_t &tenant, const uint8_t id[kIdBytes], uint32_t field,
            uint32_t epoch) {
    Entry *oldest = set;
    for (uint32_t i = 1; i < kWays; i++)
        if (set[i].used < oldest->used) oldest = &set[i];
    if (oldest->used != 0) drop(oldest);
    oldest->used = ++tick;
    oldest->tenant = tenant;
    memcpy(oldest->id, id, kIdBytes);
    oldest->field = field;
    oldest->asked_epoch = epoch;
    return oldest;
}

[[noreturn]] void no_key() {
    pg::raise(pg::report_of(core::Error{core::Code::cannot_open, ""}));
    pg_unreachable();
}

void load_subject_root(const pg_uuid_t &tenant, core::ByteView subject, bool make,
                       uint8_t out[core::kKeyBytes]) {
    uint8_t name[core::kSubjectNameBytes];
    subject_name(tenant, subject, name);
    SubjectRow row = find_subject(tenant, name);
    if (row.generation == 0) {
        if (!make) no_key();  // the value belongs to somebody else
        insert_subject(tenant, name, 1);
        row = find_subject(tenant, name);
        if (row.generation == 0)
            ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                            errmsg("the key of the data subject was made by another transaction"),
                            errhint("Try again.")));
    }
    if (row.destroyed)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_KEY_SHREDDED),
                        errmsg("the key of the data subject was destroyed"),
                        errdetail("What was sealed under it cannot be opened by anyone.")));
    const core::Xaes *kek = subject_kek(tenant, &row.epoch);
    if (pg::run([&] { core::unwrap_subject(*kek, name, row.generation, row.wrapped, out); }).failed)
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_CANNOT_OPEN),
                 errmsg("wrapped key of a data subject cannot be opened"),
                 errdetail("The row of aegis.subject_key was changed, or belongs elsewhere."),
                 errhint("Restore the row from a backup.")));
}

}  // namespace

void subject_name(const pg_uuid_t &tenant, core::ByteView subject,
                  uint8_t out[core::kSubjectNameBytes]) {
    const core::HmacKey *key =
        key_cache::derive(tenant, core::Purpose::subject_name, core::kSubjectNameEpoch, 0,
                          key_cache::Form::search)
            ->search;
    pg::raise(pg::run([&] { core::subject_name(*key, subject, out); }));
}

const core::Xaes *subject_kek(const pg_uuid_t &tenant, uint32_t *epoch) {
    const key_cache::Entry *entry =
        key_cache::derive(tenant, core::Purpose::subject, *epoch, 0, key_cache::Form::wrap);
    *epoch = entry->epoch;
    return &entry->cipher->cipher();
}

SubjectRow find_subject(const pg_uuid_t &tenant, core::ByteView name) {
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], kTenant, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&tenant));
    ScanKeyInit(&keys[1], kName, BTEqualStrategyNumber, F_BYTEAEQ,
                PointerGetDatum(pg::copy_varlena(name)));
    subject_table = own_table::find("subject_key");
    own_table::Scan scan = own_table::begin("subject_key", keys, 2);
    SubjectRow row{};
    while (HeapTuple tuple = own_table::next(scan)) {
        bool is_null;
        uint32_t generation = DatumGetInt32(own_table::column(scan, tuple, kGeneration, &is_null));
        if (generation <= row.generation) continue;
        row.generation = generation;
        row.epoch = DatumGetInt32(own_table::column(scan, tuple, kEpoch, &is_null));
        Datum wrapped = own_table::column(scan, tuple, kWrapped, &row.destroyed);
        if (row.destroyed) continue;
        core::ByteView bytes = pg::varlena_view(wrapped);
        if (bytes.size != sizeof row.wrapped)
            ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                            errmsg("row of aegis.subject_key has a value of wrong size")));
        memcpy(row.wrapped, bytes.data, bytes.size);
    }
    own_table::end(scan);
    return row;
}

bool insert_subject(const pg_uuid_t &tenant, core::ByteView name, uint32_t generation) {
    uint32_t epoch = kCurrentEpoch;
    const core::Xaes *kek = subject_kek(tenant, &epoch);
    uint8_t wrapped[core::kWrappedRootBytes];
    pg::raise(pg::run([&] {
        core::Key32 root;
        core::random_secret(root.span());
        core::wrap_subject(*kek, name, generation, root.view(), wrapped);
    }));
    pg::Identity before = pg::enter();
    Datum values[] = {UUIDPGetDatum(&tenant), PointerGetDatum(pg::copy_varlena(name)),
                      Int32GetDatum(static_cast<int32>(generation)),
                      Int32GetDatum(static_cast<int32>(epoch)),
                      PointerGetDatum(pg::copy_varlena(wrapped))};
    bool made = pg::execute(insert_key, values) > 0;
    pg::leave(before);
    // Should the transaction abort, the key goes with it, and so must what was derived from it.
    key_cache::expect_abort();
    return made;
}

const core::EnvelopeKey *subject_cipher(const pg_uuid_t &tenant, core::ByteView subject,
                                        uint32_t field, uint32_t *epoch, bool make) {
    refresh();
    uint8_t id[kIdBytes];
    identify(subject, id);
    Entry *set = set_of(tenant, id, field, *epoch);
    if (Entry *entry = find(set, tenant, id, field, *epoch)) {
        *epoch = entry->epoch;
        return entry->cipher;
    }
    uint32_t asked = *epoch;
    key_cache::tenant_root(tenant, asked);  // raises before a secret lies on the stack
    uint8_t root[core::kKeyBytes];
    Entry *root_set = set_of(tenant, id, 0, 0);
    if (Entry *entry = find(root_set, tenant, id, 0, 0)) {
        memcpy(root, entry->root, sizeof root);
    } else {
        load_subject_root(tenant, subject, make, root);
        memcpy(take(root_set, tenant, id, 0, 0)->root, root, sizeof root);
    }
    core::EnvelopeKey *cipher = nullptr;
    const key_cache::Entry *tenant_root = key_cache::tenant_root(tenant, asked);
    uint32_t root_epoch = tenant_root->epoch;
    core::Suite suite = tenant_root->suite;
    pg::Report report = pg::run([&] {
        core::Key32 key;
        core::derive_subject_field_key(tenant_root->key, root, pg::view_of(tenant), root_epoch,
                                       field, key);
        cipher = new core::EnvelopeKey(suite, key);
    });
    core::wipe(root);
    pg::raise(report);
    Entry *entry = take(set, tenant, id, field, asked);
    entry->cipher = cipher;
    entry->epoch = *epoch = root_epoch;
    return cipher;
}

SubjectState subject_state(const pg_uuid_t &tenant, core::ByteView subject) {
    refresh();
    uint8_t id[kIdBytes];
    identify(subject, id);
    if (find(set_of(tenant, id, 0, 0), tenant, id, 0, 0) != nullptr) return SubjectState::present;
    uint8_t name[core::kSubjectNameBytes];
    subject_name(tenant, subject, name);
    SubjectRow row = find_subject(tenant, name);
    return row.generation == 0 ? SubjectState::none
           : row.destroyed     ? SubjectState::destroyed
                               : SubjectState::present;
}

bool can_name_subject(Oid type) {
    switch (getBaseType(type)) {
        case UUIDOID:
        case INT2OID:
        case INT4OID:
        case INT8OID:
        case TEXTOID:
        case VARCHAROID:
            return true;
        default:
            return false;
    }
}

core::ByteView encode_subject(Oid type, Datum value) {
    uint8_t integer[8];
    core::SubjectKind kind = core::SubjectKind::integer;
    core::ByteView bytes = integer;
    switch (type) {
        case UUIDOID:
            kind = core::SubjectKind::uuid;
            bytes = pg::view_of(*DatumGetUUIDP(value));
            break;
        case INT2OID:
            core::put_u64(integer, static_cast<uint64_t>(int64{DatumGetInt16(value)}));
            break;
        case INT4OID:
            core::put_u64(integer, static_cast<uint64_t>(int64{DatumGetInt32(value)}));
            break;
        case INT8OID:
            core::put_u64(integer, static_cast<uint64_t>(DatumGetInt64(value)));
            break;
        case TEXTOID:
        case VARCHAROID: {
            core::ByteView text = pg::varlena_view(value);
            char *utf8 = pg_server_to_any(reinterpret_cast<const char *>(text.data),
                                          static_cast<int>(text.size), PG_UTF8);
            bool same = reinterpret_cast<const uint8_t *>(utf8) == text.data;
            kind = core::SubjectKind::text;
            bytes = same ? text : pg::view_of(utf8);
            break;
        }
        default:
            if (getBaseType(type) != type) return encode_subject(getBaseType(type), value);
            ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                            errmsg("type %s cannot name a data subject", format_type_be(type)),
                            errhint("Use uuid, bigint, integer or text.")));
    }
    if (bytes.size == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("an empty text names no data subject")));
    if (bytes.size > core::kMaxSubjectTextBytes)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("a text of more than %zu bytes cannot name a data subject",
                               core::kMaxSubjectTextBytes)));
    core::ByteSpan out{static_cast<uint8_t *>(palloc(1 + bytes.size)), 1 + bytes.size};
    pg::raise(pg::run([&] { core::encode_subject(kind, bytes, out); }));
    return out;
}

void define_subject() {
    pg::on_relation_change(table_changed);
}

}  // namespace aegis::key
