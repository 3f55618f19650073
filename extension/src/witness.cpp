// SPDX-License-Identifier: Apache-2.0
#include "core/cosignature.hpp"

#include "core/add_checkpoint.hpp"
#include "core/error.hpp"
#include "core/note.hpp"

#include "witness.hpp"

#include "guc.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "tree.hpp"
#include "worker.hpp"

namespace aegis::witness {

namespace {

constexpr int64_t kLookMicros = 500000;
constexpr int64 kLateMillis = 60000;
constexpr int64 kStaleMillis = 600000;
// A witness whose clock is further away vouches for a time that it does not know.
constexpr int64 kClockSeconds = 86400;

int64_t next_look_micros = 0;

void require_owner() {
    if (GetUserId() != role::owner())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only aegis_owner speaks with witnesses")));
}

struct Signed {
    bool exists;
    uint64 size;
    core::ByteView note;  // lives until SPI_finish()
};

Signed checkpoint_of(int64 number) {
    static pg::Statement statement = {
        "SELECT size, note FROM aegis.checkpoint WHERE number OPERATOR(pg_catalog.=) $1",
        1,
        {INT8OID},
        nullptr};
    Datum value = Int64GetDatum(number);
    Signed found = {};
    bool is_null;
    if (pg::execute(statement, &value) == 0) return found;
    found.exists = true;
    found.size = static_cast<uint64>(DatumGetInt64(pg::column(0, 1, &is_null)));
    found.note = pg::varlena_view(pg::column(0, 2, &is_null));
    return found;
}

std::string_view text_of(core::ByteView bytes) {
    return {reinterpret_cast<const char *>(bytes.data), bytes.size};
}

struct Taken {
    size_t line_bytes;
    uint64_t seconds;
    char name[256];
    char line[core::kMaxCosignatureAnswerBytes];
};

// What is wrong with the answer; nullptr and *taken filled when nothing is.
const char *open_answer(core::ByteView note, core::ByteView vkey, core::ByteView answer,
                        Taken *taken) {
    pg::Report report = pg::run([&] {
        const core::NoteKey key = core::parse_note_key(text_of(vkey));
        const core::Note own = core::parse_note(text_of(note));
        const core::Cosignature made = core::take_cosignature(own.text, text_of(answer), key);
        taken->line_bytes = made.line.size();
        taken->seconds = made.timestamp;
        memcpy(taken->line, made.line.data(), made.line.size());
        strlcpy(taken->name, key.name.c_str(), sizeof taken->name);
    });
    if (report.failed) return "what it sent is no cosignature of the checkpoint by its key";
    int64 now = static_cast<int64>(GetCurrentTimestamp() / USECS_PER_SEC) +
                (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
    if (taken->seconds > static_cast<uint64_t>(now + kClockSeconds) ||
        taken->seconds < static_cast<uint64_t>(now - kClockSeconds))
        return "its clock is more than a day away from ours";
    return nullptr;
}

void store(int64 number, core::ByteView vkey, const Taken &taken) {
    static pg::Statement statement = {
        "INSERT INTO aegis.cosignature (checkpoint, witness, vkey, cosigned_at, received_at, line)"
        " VALUES ($1, $2, $3, pg_catalog.to_timestamp($4), pg_catalog.clock_timestamp(), $5)"
        " ON CONFLICT DO NOTHING",
        5,
        {INT8OID, TEXTOID, TEXTOID, FLOAT8OID, TEXTOID},
        nullptr};
    Datum values[5] = {
        Int64GetDatum(number), CStringGetTextDatum(taken.name),
        PointerGetDatum(pg::copy_varlena(vkey)), Float8GetDatum(static_cast<double>(taken.seconds)),
        PointerGetDatum(cstring_to_text_with_len(taken.line, static_cast<int>(taken.line_bytes)))};
    ledger_tables::own_change([&] { pg::execute(statement, values); });
}

}  // namespace

const char *name_of(Standing standing) {
    switch (standing) {
        case Standing::off:
            return "off";
        case Standing::waiting:
            return "waiting";
        case Standing::cosigned:
            return "cosigned";
        case Standing::late:
            return "late";
        case Standing::stale:
            return "stale";
        case Standing::refused:
            return "refused";
    }
    return "off";
}

Health health() {
    static pg::Statement statement = {
        "SELECT standing, (1000 OPERATOR(pg_catalog.*) pg_catalog.date_part('epoch', "
        "pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) since))::pg_catalog.int8 FROM "
        "aegis.witness_standing()",
        0,
        {},
        nullptr};
    pg::Identity caller = pg::enter();
    Health health = {Standing::off, -1};
    bool is_null;
    pg::read(statement, nullptr);
    const char *word = TextDatumGetCString(pg::column(0, 1, &is_null));
    Datum lag = pg::column(0, 2, &is_null);
    if (!is_null) health.lag_ms = Max(DatumGetInt64(lag), 0);
    if (strcmp(word, "refused") == 0)
        health.standing = Standing::refused;
    else if (strcmp(word, "waiting") == 0)
        health.standing = Standing::waiting;
    else if (strcmp(word, "asked") == 0)
        health.standing =
            health.lag_ms > kStaleMillis + 2 * guc::checkpoint_interval_ms  ? Standing::stale
            : health.lag_ms > kLateMillis + 2 * guc::checkpoint_interval_ms ? Standing::late
                                                                            : Standing::cosigned;
    pg::leave(caller);
    return health;
}

void tend() {
    static pg::Statement any = {
        "SELECT FROM aegis.witness w WHERE aegis.is_due(w.next_at, '10 min')", 0, {}, nullptr};
    static pg::Statement ask = {"SELECT aegis.tend_witnesses()", 0, {}, nullptr};
    if (guc::restore_mode || RecoveryInProgress() || worker::now_micros() < next_look_micros)
        return;
    next_look_micros = worker::now_micros() + kLookMicros;
    pg::Identity caller = pg::enter();
    if (pg::execute(any, nullptr) > 0) pg::execute(ask, nullptr);
    pg::leave(caller);
}

}  // namespace aegis::witness

using namespace aegis;

AEGIS_FUNCTION(aegis_witness_name) {
    core::ByteView vkey = pg::varlena_view(PG_GETARG_DATUM(0));
    static char name[256];
    bool right = false;
    bool own = false;
    pg::Report report = pg::run([&] {
        const core::NoteKey key = core::parse_note_key(witness::text_of(vkey));
        right = key.type == core::NoteKeyType::ed25519_cosignature;
        strlcpy(name, key.name.c_str(), sizeof name);
        if (*guc::ledger_key != '\0')
            own = memcmp(key.public_key, core::parse_note_key(guc::ledger_key).public_key,
                         core::kEd25519Bytes) == 0;
    });
    if (report.failed || !right)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("this is not the vkey of a witness"),
                        errhint("\"aegis-verify witness key\" prints it: name+id+base64.")));
    if (own)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the key that signs the ledger is no witness of it")));
    PG_RETURN_TEXT_P(cstring_to_text(name));
}

AEGIS_FUNCTION(aegis_same_note_key) {
    core::ByteView a = pg::varlena_view(PG_GETARG_DATUM(0)),
                   b = pg::varlena_view(PG_GETARG_DATUM(1));
    bool same = false;
    pg::raise(pg::run([&] {
        same =
            memcmp(core::parse_note_key(witness::text_of(a)).public_key,
                   core::parse_note_key(witness::text_of(b)).public_key, core::kEd25519Bytes) == 0;
    }));
    PG_RETURN_BOOL(same);
}

AEGIS_FUNCTION(aegis_witness_request) {
    witness::require_owner();
    uint64 old = static_cast<uint64>(PG_GETARG_INT64(0));
    MemoryContext memory = CurrentMemoryContext;
    pg::Identity caller = pg::enter();
    witness::Signed head = witness::checkpoint_of(PG_GETARG_INT64(1));
    if (!head.exists || old > head.size)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("no such checkpoint extends this size")));
    // The proof reads other rows: what is in the row of the checkpoint must outlive that.
    core::ByteView note = pg::payload(pg::copy_varlena(head.note));
    static tree::Path path;
    path.count = 0;
    if (old > 0 && old < head.size) path = tree::consistency(tree::kRootLog, old, head.size);
    static uint8_t body[core::kMaxAddCheckpointBytes];
    size_t size = 0;
    pg::raise(pg::run([&] {
        core::AddCheckpoint request;
        request.old = old;
        request.proof.assign(path.hashes, path.hashes + path.count);
        request.text = witness::text_of(note);
        const std::string text = core::format_add_checkpoint(request);
        if (text.size() > sizeof body)
            throw core::Error{core::Code::too_long, "the request to a witness is too long"};
        memcpy(body, text.data(), text.size());
        size = text.size();
    }));
    MemoryContext before = MemoryContextSwitchTo(memory);
    struct varlena *result = pg::copy_varlena({body, size});
    MemoryContextSwitchTo(before);
    pg::leave(caller);
    PG_RETURN_BYTEA_P(result);
}

AEGIS_FUNCTION(aegis_take_cosignature) {
    witness::require_owner();
    int64 number = PG_GETARG_INT64(0);
    core::ByteView vkey = pg::varlena_view(PG_GETARG_DATUM(1));
    core::ByteView answer = pg::varlena_view(PG_GETARG_DATUM(2));
    static witness::Taken taken;
    pg::Identity caller = pg::enter();
    witness::Signed head = witness::checkpoint_of(number);
    const char *wrong = !head.exists ? "the checkpoint does not exist"
                                     : witness::open_answer(head.note, vkey, answer, &taken);
    if (wrong == nullptr) witness::store(number, vkey, taken);
    pg::leave(caller);
    if (wrong != nullptr) PG_RETURN_TEXT_P(cstring_to_text(wrong));
    PG_RETURN_NULL();
}
