// SPDX-License-Identifier: Apache-2.0
#include "core/anchor.hpp"

#include "core/error.hpp"
#include "core/note.hpp"
#include "core/timestamp.hpp"

#include "anchor.hpp"

#include "guc.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "worker.hpp"

namespace aegis::anchor {

namespace {

constexpr int64_t kLookMicros = 500000;
// An authority whose clock is further away vouches for a time that it does not know.
constexpr int64 kClockSeconds = 86400;

int64_t next_look_micros = 0;

void require_owner() {
    if (GetUserId() != role::owner())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only aegis_owner speaks with anchors")));
}

std::string_view text_of(core::ByteView bytes) {
    return {reinterpret_cast<const char *>(bytes.data), bytes.size};
}

// False when there is no such checkpoint.
bool digest_of_checkpoint(int64 number, core::Digest *digest) {
    static pg::Statement statement = {
        "SELECT note FROM aegis.checkpoint WHERE number OPERATOR(pg_catalog.=) $1",
        1,
        {INT8OID},
        nullptr};
    Datum value = Int64GetDatum(number);
    bool is_null;
    if (pg::execute(statement, &value) == 0) return false;
    core::ByteView note = pg::varlena_view(pg::column(0, 1, &is_null));
    pg::raise(pg::run([&] { *digest = core::sha256(note); }));
    return true;
}

// What is wrong with the answer of an authority; nullptr and *seconds filled when nothing is.
const char *open_stamp(const core::Digest &digest, core::ByteView answer, core::ByteView request,
                       core::ByteView authorities, int64 *seconds) {
    pg::Report report = pg::run([&] {
        *seconds = core::open_timestamp(answer, digest, text_of(authorities), request).seconds;
    });
    if (report.failed)
        return "what it sent is no time stamp of the checkpoint that leads to its authorities";
    int64 now = static_cast<int64>(GetCurrentTimestamp() / USECS_PER_SEC) +
                (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
    if (*seconds > now + kClockSeconds || *seconds < now - kClockSeconds)
        return "its clock is more than a day away from ours";
    return nullptr;
}

struct Receipt {
    Datum anchor, kind, place;
    int64 number;
    core::Digest digest;
    bool is_stamp;
    int64 seconds;
    core::ByteView stamp;
};

void store(const Receipt &receipt) {
    static pg::Statement statement = {
        "INSERT INTO aegis.anchor_receipt (anchor, checkpoint, kind, place, digest, anchored_at, "
        "stamped_at, receipt) VALUES ($1, $2, $3, $4, $5, pg_catalog.clock_timestamp(), "
        "pg_catalog.to_timestamp($6), $7) ON CONFLICT DO NOTHING",
        7,
        {TEXTOID, INT8OID, TEXTOID, TEXTOID, BYTEAOID, FLOAT8OID, BYTEAOID},
        nullptr};
    Datum values[] = {
        receipt.anchor,
        Int64GetDatum(receipt.number),
        receipt.kind,
        receipt.place,
        PointerGetDatum(pg::copy_varlena(receipt.digest.view())),
        Float8GetDatum(static_cast<double>(receipt.seconds)),
        receipt.is_stamp ? PointerGetDatum(pg::copy_varlena(receipt.stamp)) : (Datum)0};
    const char *nulls = receipt.is_stamp ? "       " : "     nn";
    ledger_tables::own_change([&] { pg::execute(statement, values, nulls); });
}

core::ByteView bytes_or_nothing(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument) ? core::ByteView{} : pg::varlena_view(PG_GETARG_DATUM(argument));
}

// Of one of the words that aegis.anchor_standing() knows: the text itself lives in SPI's memory.
const char *kept(const char *word) {
    static const char *const words[] = {"off", "waiting", "anchored", "late", "stale", "refused"};
    for (const char *known : words)
        if (strcmp(word, known) == 0) return known;
    return "refused";
}

}  // namespace

Health health() {
    static pg::Statement statement = {
        "SELECT standing, (1000 OPERATOR(pg_catalog.*) pg_catalog.date_part('epoch', "
        "pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) since))::pg_catalog.int8 FROM "
        "aegis.anchor_standing()",
        0,
        {},
        nullptr};
    pg::Identity caller = pg::enter();
    Health health = {"off", true, -1};
    bool is_null;
    pg::read(statement, nullptr);
    health.standing = kept(TextDatumGetCString(pg::column(0, 1, &is_null)));
    health.is_well =
        strcmp(health.standing, "stale") != 0 && strcmp(health.standing, "refused") != 0;
    Datum lag = pg::column(0, 2, &is_null);
    if (!is_null) health.lag_ms = Max(DatumGetInt64(lag), 0);
    pg::leave(caller);
    return health;
}

void tend() {
    static pg::Statement any = {
        "SELECT FROM aegis.anchor a WHERE aegis.is_due(a.next_at, a.every)", 0, {}, nullptr};
    static pg::Statement send = {"SELECT aegis.tend_anchors()", 0, {}, nullptr};
    if (guc::restore_mode || RecoveryInProgress() || worker::now_micros() < next_look_micros)
        return;
    next_look_micros = worker::now_micros() + kLookMicros;
    pg::Identity caller = pg::enter();
    if (pg::execute(any, nullptr) > 0) pg::execute(send, nullptr);
    pg::leave(caller);
}

}  // namespace aegis::anchor

using namespace aegis;

AEGIS_FUNCTION(aegis_anchor_name) {
    core::ByteView note = pg::varlena_view(PG_GETARG_DATUM(0));
    static char name[128];
    pg::raise(pg::run([&] {
        const core::Note parsed = core::parse_note(anchor::text_of(note));
        strlcpy(name, core::anchor_name(core::parse_checkpoint(parsed.text)).c_str(), sizeof name);
    }));
    PG_RETURN_TEXT_P(cstring_to_text(name));
}

// Without a key of the log no signature can be checked, here as in the verification.
AEGIS_FUNCTION(aegis_is_other_history) {
    core::ByteView note = pg::varlena_view(PG_GETARG_DATUM(0));
    core::ByteView found = pg::varlena_view(PG_GETARG_DATUM(1));
    bool other = false;
    pg::Report report = pg::run([&] {
        const core::Checkpoint own =
            core::parse_checkpoint(core::parse_note(anchor::text_of(note)).text);
        const core::Note there = core::parse_note(anchor::text_of(found));
        const core::Checkpoint theirs = core::parse_checkpoint(there.text);
        const bool is_signed =
            *guc::ledger_key == '\0' ||
            core::note_is_signed(there,
                                 core::renamed(core::parse_note_key(guc::ledger_key), own.origin));
        other = is_signed && theirs.origin == own.origin && theirs.size == own.size &&
                theirs.root != own.root;
    });
    PG_RETURN_BOOL(!report.failed && other);  // what is no note is no history
}

AEGIS_FUNCTION(aegis_anchor_request) {
    anchor::require_owner();
    core::ByteView note = pg::varlena_view(PG_GETARG_DATUM(0));
    static uint8_t request[core::kMaxTimestampRequestBytes];
    size_t size = 0;
    pg::raise(pg::run([&] {
        const std::string made = core::timestamp_request(core::sha256(note));
        if (made.size() > sizeof request)
            throw core::Error{core::Code::too_long, "the request for a time stamp is too long"};
        memcpy(request, made.data(), made.size());
        size = made.size();
    }));
    PG_RETURN_BYTEA_P(pg::copy_varlena({request, size}));
}

AEGIS_FUNCTION(aegis_count_anchor_authorities) {
    core::ByteView pem = pg::varlena_view(PG_GETARG_DATUM(0));
    int32 count = 0;
    pg::Report report =
        pg::run([&] { count = static_cast<int32>(core::count_authorities(anchor::text_of(pem))); });
    if (report.failed)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("these are no certificates of authorities in PEM"),
                        errhint("Give those that the time stamps must lead to, one behind the "
                                "other, 64 KiB at most.")));
    PG_RETURN_INT32(count);
}

// (anchor, number, kind, place, answer, request, authorities)
AEGIS_FUNCTION(aegis_take_anchor) {
    anchor::require_owner();
    for (int argument = 0; argument < 4; argument++)
        if (PG_ARGISNULL(argument))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("anchor, checkpoint, kind and place must not be null")));
    anchor::Receipt receipt = {};
    receipt.anchor = PG_GETARG_DATUM(0);
    receipt.number = PG_GETARG_INT64(1);
    receipt.kind = PG_GETARG_DATUM(2);
    receipt.place = PG_GETARG_DATUM(3);
    receipt.is_stamp = anchor::text_of(pg::varlena_view(receipt.kind)) == "rfc3161";
    receipt.stamp = anchor::bytes_or_nothing(fcinfo, 4);
    core::ByteView request = anchor::bytes_or_nothing(fcinfo, 5);
    core::ByteView authorities = anchor::bytes_or_nothing(fcinfo, 6);
    pg::Identity caller = pg::enter();
    const char *wrong = nullptr;
    if (!anchor::digest_of_checkpoint(receipt.number, &receipt.digest))
        wrong = "the checkpoint does not exist";
    else if (receipt.is_stamp && request.size == 0)
        wrong = "no time stamp was asked for";
    else if (receipt.is_stamp)
        wrong = anchor::open_stamp(receipt.digest, receipt.stamp, request, authorities,
                                   &receipt.seconds);
    if (wrong == nullptr) anchor::store(receipt);
    pg::leave(caller);
    if (wrong != nullptr) PG_RETURN_TEXT_P(cstring_to_text(wrong));
    PG_RETURN_NULL();
}
