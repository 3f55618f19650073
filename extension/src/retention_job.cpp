// SPDX-License-Identifier: Apache-2.0
// The job that removes the entries of a cut: nothing before the entry that records it is sealed and
// signed, nothing while a hold stands. Each step continues where the last one that committed ended.
// In the end partitions that became empty go as a whole.
#include "retention.hpp"

#include "ledger_entry.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"

namespace aegis::retention {

namespace {

constexpr int kEntriesPerStep = 20000;
constexpr int kRestMillis = 250;
constexpr int kMostRests = 240;     // for the signature
constexpr int kMostDropRests = 40;  // for those who still read what is gone

// How long this process has waited for what; a new process begins anew.
struct {
    int64 job;
    int rests;
} waiting;

void look_at(int64 job) {
    if (waiting.job != job) waiting = {job, 0};
}

struct Cut {
    int32 log;
    int64 size, before;  // leaves that this cut, and the one before it, left without entries
    bool is_signed;
    TransactionId sealed;  // by this transaction, the entry that records it
};

int64 number(int at) {
    bool is_null;
    Datum value = pg::column(0, at, &is_null);
    return is_null ? -1 : DatumGetInt64(value);
}

void require_no_hold(Datum tenant) {
    static pg::Statement lock = {
        "SELECT FROM aegis.tenant WHERE id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
        1,
        {UUIDOID},
        nullptr};
    static pg::Statement holds = {
        "SELECT pg_catalog.count(*) FROM aegis.ledger_hold WHERE tenant_id OPERATOR(pg_catalog.=) "
        "$1 AND released_at IS NULL",
        1,
        {UUIDOID},
        nullptr};
    // Whoever holds the ledger waits until the step is over, and no step begins after that.
    pg::execute(lock, &tenant);
    pg::execute(holds, &tenant);
    if (number(1) > 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the ledger of the tenant is on legal hold"),
                        errhint("aegis.release_ledger() ends it; then resume the job.")));
}

Cut find_cut(Datum tenant) {
    static pg::Statement newest = {
        "SELECT c.log::pg_catalog.int8, c.size, coalesce((SELECT pg_catalog.max(p.size) FROM "
        "aegis.ledger_cut p WHERE p.log OPERATOR(pg_catalog.=) c.log AND p.size "
        "OPERATOR(pg_catalog.<) c.size), 0), s.seal, (SELECT pg_catalog.max(k.seal) FROM "
        "aegis.checkpoint k "
        "WHERE NOT EXISTS (SELECT FROM aegis.witness) OR k.number "
        "OPERATOR(pg_catalog.<=) aegis.newest_witnessed()), "
        "s.xmin::pg_catalog.text::pg_catalog.int8 "
        "FROM aegis.tenant_log l JOIN aegis.ledger_cut c ON c.log OPERATOR(pg_catalog.=) l.log "
        "LEFT JOIN LATERAL (SELECT o.seal, o.xmin FROM aegis.seal_leaves o WHERE o.log "
        "OPERATOR(pg_catalog.=) c.log AND o.last_seq OPERATOR(pg_catalog.>=) c.seq AND c.seq "
        "OPERATOR(pg_catalog.=) ANY (o.seqs) ORDER BY o.last_seq LIMIT 1) s ON true "
        "WHERE l.tenant_id OPERATOR(pg_catalog.=) $1 ORDER BY c.size DESC LIMIT 1",
        1,
        {UUIDOID},
        nullptr};
    if (pg::execute(newest, &tenant) == 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("nothing of the ledger of the tenant was cut"),
                        errhint("aegis.cut_ledger() makes the job.")));
    int64 seal = number(4);
    return {static_cast<int32>(number(1)), number(2), number(3), seal > 0 && seal <= number(5),
            static_cast<TransactionId>(number(6))};
}

job::Progress wait_for_signature(const job::Job &job) {
    if (++waiting.rests > kMostRests)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("no signed checkpoint covers the entry that records the cut"),
                        errhint("Nothing was removed yet. See aegis.health() for the signer, then "
                                "resume the job.")));
    return {false, job.done, nullptr, kRestMillis};
}

int64 remove_entries(const Cut &cut, Datum tenant, int64 from) {
    static pg::Statement statement = {"SELECT aegis.delete_cut_entries($1, $2, $3, $4, $5)",
                                      5,
                                      {INT4OID, UUIDOID, INT8OID, INT8OID, INT4OID},
                                      nullptr};
    Datum values[] = {Int32GetDatum(cut.log), tenant, Int64GetDatum(from), Int64GetDatum(cut.size),
                      Int32GetDatum(kEntriesPerStep)};
    ledger_tables::own_change([&] { pg::execute(statement, values); });
    return number(1);
}

// Number of a partition that is not the default one; -1 otherwise.
int64 number_of(Oid partition) {
    const char *name = get_rel_name(partition);
    if (name == nullptr || strncmp(name, "entry_p", 7) != 0) return -1;
    return strtoll(name + 7, nullptr, 10);
}

bool has_rows(Relation partition) {
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    TableScanDesc scan = table_beginscan(partition, snapshot, 0, nullptr);
    TupleTableSlot *slot = table_slot_create(partition, nullptr);
    bool found = table_scan_getnextslot(scan, ForwardScanDirection, slot);
    ExecDropSingleTupleTableSlot(slot);
    table_endscan(scan);
    UnregisterSnapshot(snapshot);
    return found;
}

enum class Emptied { no, later, yes };

struct Drop {
    Oid partition;
    bool done;
};

// Writers queue behind us for this long, once in 4 million entries.
void drop(Drop *drop) {
    set_config_option("lock_timeout", "100ms", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true,
                      0, false);
    LockRelationOid(ledger_tables::require().entry, AccessExclusiveLock);
    Relation partition = table_open(drop->partition, AccessExclusiveLock);
    drop->done = !has_rows(partition);
    const char *name = RelationGetRelationName(partition);
    // Those of the extension itself stay, empty: a dump expects them.
    bool is_member =
        OidIsValid(getExtensionOfObject(RelationRelationId, RelationGetRelid(partition)));
    const char *command =
        psprintf(is_member ? "TRUNCATE aegis.%s" : "DROP TABLE aegis.%s", quote_identifier(name));
    table_close(partition, NoLock);
    if (!drop->done) return;
    if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(command, false, 0) != SPI_OK_UTILITY)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("could not drop an empty partition of the ledger")));
    SPI_finish();
}

Emptied empty_partition(Oid oid, TransactionId sealed) {
    Relation partition = table_open(oid, AccessShareLock);
    bool nothing = RelationGetNumberOfBlocks(partition) == 0 && number_of(oid) < 2;
    bool candidate = !nothing && !has_rows(partition);
    // Whoever took a snapshot before the cut was sealed would miss the entries and not know why.
    bool unseen =
        candidate && TransactionIdPrecedes(sealed, GetOldestNonRemovableTransactionId(partition));
    table_close(partition, AccessShareLock);
    if (!candidate) return Emptied::no;
    if (!unseen) return Emptied::later;
    Drop mine = {oid, false};
    ErrorData *error = nullptr;
    ledger_tables::own_change([&] {
        auto body = [&] { drop(&mine); };
        error = pg::try_in_subtransaction(body);
    });
    if (error != nullptr && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE) ReThrowError(error);
    if (error != nullptr) return Emptied::later;
    return mine.done ? Emptied::yes : Emptied::no;
}

// Drops one partition that lies wholly below what is written now; Emptied::later when one must
// wait.
Emptied empty_one(TransactionId sealed) {
    static pg::Statement last = {"SELECT last_value FROM aegis.entry_seq", 0, {}, nullptr};
    pg::execute(last, nullptr);
    int64 current = number(1) / ledger_entry::kPartitionEntries;
    List *partitions = find_inheritance_children(ledger_tables::require().entry, NoLock);
    Emptied all = Emptied::no;
    ListCell *cell;
    foreach (cell, partitions) {
        int64 its = number_of(lfirst_oid(cell));
        if (its < 0 || its >= current) continue;
        Emptied one = empty_partition(lfirst_oid(cell), sealed);
        if (one == Emptied::yes) return one;
        if (one == Emptied::later) all = one;
    }
    return all;
}

}  // namespace

job::Progress step(const job::Job &job) {
    look_at(job.id);
    Datum tenant = UUIDPGetDatum(&job.tenant);
    require_no_hold(tenant);
    Cut cut = find_cut(tenant);
    if (!cut.is_signed) return wait_for_signature(job);
    int64 from = cut.before + job.done;
    if (from < cut.size) {
        waiting.rests = 0;
        return {false, remove_entries(cut, tenant, from) - cut.before, nullptr, 0};
    }
    Emptied emptied = empty_one(cut.sealed);
    if (emptied == Emptied::yes) return {false, job.done, nullptr, 0};
    // What cannot go now goes with the next cut.
    if (emptied == Emptied::later && ++waiting.rests <= kMostDropRests)
        return {false, job.done, nullptr, kRestMillis};
    return {true, job.done, psprintf("{\"size\": " INT64_FORMAT "}", cut.size), 0};
}

}  // namespace aegis::retention
