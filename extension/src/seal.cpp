// SPDX-License-Identifier: Apache-2.0
// One pass of the sealer. Which entries belong to it follows from two snapshots: those whose
// transaction had not finished at the previous seal and has finished now. docs/seal.md argues why
// that is exact for long writers, savepoints, prepared transactions and crashes.
#include "core/random.hpp"
#include "core/seal.hpp"

#include "seal.hpp"

#include "ledger_entry.hpp"
#include "guc.hpp"
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "tree.hpp"
#include "worker.hpp"

namespace aegis::seal {

namespace {

constexpr int kFetch = 5000;

// Published when the pass has committed.
int64 sealed_micros_pending = 0;
// Largest number that a pass of this process met: about how many entries there are.
int64 newest_sealed = 0;

struct LogKey {
    uint8_t has_tenant;
    pg_uuid_t tenant;
};

struct Log {  // one tenant's log during a pass
    LogKey key;
    int32 number;
    bool is_new;
    uint8_t id[core::kLogIdBytes];
    core::Frontier frontier;
    int count, room;  // leaves collected for the next row of aegis.seal_leaves
    int64 *seqs;
    core::Digest *leaves;
};

struct Previous {
    bool exists;
    int64 number;
    int32 epoch;
    Datum snapshot;
    core::Frontier root_log;
    core::Digest hash;
};

struct Pass {
    Previous previous;
    int32 epoch;
    int64 number;
    char *snapshot;
    uint64 wal;
    TimestampTz now;
    int64_t began_micros;
    int64 entries;
    int64 last_seq;
    HTAB *logs;
    int32 next_log;
    MemoryContext memory;
    tree::Writer nodes;
};

void connect() {
    if (SPI_connect() != SPI_OK_CONNECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not connect to SPI")));
}

Datum bytea_of(core::ByteView bytes) {
    return PointerGetDatum(pg::copy_varlena(bytes));
}

core::Frontier frontier_of(Datum value) {
    core::ByteView bytes = pg::varlena_view(value);
    core::Frontier frontier;
    pg::raise(pg::run([&] { frontier = core::decode_frontier(bytes); }));
    return frontier;
}

Datum datum_of(const core::Frontier &frontier) {
    struct varlena *bytes = pg::alloc_varlena(core::frontier_size(frontier));
    pg::raise(pg::run([&] { core::encode_frontier(frontier, pg::payload(bytes)); }));
    return PointerGetDatum(bytes);
}

void read_previous(Previous *previous) {
    static pg::Statement newest = {
        "SELECT number, epoch, snapshot, root_frontier, hash FROM aegis.seal ORDER BY number DESC "
        "LIMIT 1",
        0,
        {},
        nullptr};
    bool is_null;
    previous->exists = pg::read(newest, nullptr) == 1;
    if (!previous->exists) {
        previous->number = 0;
        previous->epoch = 1;
        previous->snapshot = DirectFunctionCall1(pg_snapshot_in, CStringGetDatum("1:1:"));
        return;
    }
    previous->number = DatumGetInt64(pg::column(0, 1, &is_null));
    previous->epoch = DatumGetInt32(pg::column(0, 2, &is_null));
    previous->snapshot = datumCopy(pg::column(0, 3, &is_null), false, -1);
    previous->root_log = frontier_of(pg::column(0, 4, &is_null));
    core::ByteView hash = pg::varlena_view(pg::column(0, 5, &is_null));
    if (hash.size != core::kDigestBytes)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("the newest seal is damaged")));
    memcpy(previous->hash.bytes, hash.data, hash.size);
}

// Transaction numbers mean nothing in another cluster: entries would be missed silently.
int32 check_epoch(const Previous &previous) {
    static pg::Statement newest = {
        "SELECT epoch, system_identifier FROM aegis.ledger_epoch ORDER BY epoch DESC LIMIT 1",
        0,
        {},
        nullptr};
    bool is_null;
    int64 here = static_cast<int64>(GetSystemIdentifier());
    if (pg::read(newest, nullptr) == 0) return 0;
    int32 epoch = DatumGetInt32(pg::column(0, 1, &is_null));
    bool elsewhere = DatumGetInt64(pg::column(0, 2, &is_null)) != here;
    bool behind = false;
    if (previous.exists && previous.epoch == epoch) {
        uint64 xmax = DatumGetUInt64(DirectFunctionCall1(pg_snapshot_xmax, previous.snapshot));
        behind = xmax > U64FromFullTransactionId(ReadNextFullTransactionId());
    }
    if (elsewhere || behind)
        ereport(
            ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("the ledger was restored from another cluster and is not sealed"),
             errdetail("Seal " INT64_FORMAT " of epoch %d was made elsewhere or later than now.",
                       previous.number, previous.epoch),
             errhint("Check what was restored, then call aegis.begin_epoch() as an operator.")));
    return epoch;
}

void begin_first_epoch() {
    static pg::Statement insert = {
        "INSERT INTO aegis.ledger_epoch (epoch, system_identifier, began_at, reason)"
        " VALUES (1, $1, pg_catalog.now(), 'installed')",
        1,
        {INT8OID},
        nullptr};
    Datum values[1] = {Int64GetDatum(static_cast<int64>(GetSystemIdentifier()))};
    pg::execute(insert, values);
}

// Two statements: no index answers IS NOT DISTINCT FROM, and there may be many logs.
bool read_log(const LogKey &key) {
    static pg::Statement of_tenant = {
        "SELECT log, log_id, frontier FROM aegis.tenant_log WHERE tenant_id "
        "OPERATOR(pg_catalog.=) $1",
        1,
        {UUIDOID},
        nullptr};
    static pg::Statement of_system = {
        "SELECT log, log_id, frontier FROM aegis.tenant_log WHERE tenant_id IS NULL",
        0,
        {},
        nullptr};
    Datum values[1] = {UUIDPGetDatum(&key.tenant)};
    return pg::read(key.has_tenant ? of_tenant : of_system, values) > 0;
}

Log *open_log(Pass *pass, const LogKey &key) {
    bool found;
    Log *log = static_cast<Log *>(hash_search(pass->logs, &key, HASH_ENTER, &found));
    if (found) return log;
    log->count = log->room = 0;
    log->frontier = core::Frontier();
    log->is_new = !read_log(key);
    if (log->is_new) {
        log->number = pass->next_log++;
        // A random name, so that the root log tells nobody which tenants exist.
        pg::raise(pg::run([&] { core::random_secret({log->id, sizeof log->id}); }));
        return log;
    }
    bool is_null;
    log->number = DatumGetInt32(pg::column(0, 1, &is_null));
    core::ByteView id = pg::varlena_view(pg::column(0, 2, &is_null));
    if (id.size != sizeof log->id)
        ereport(ERROR,
                (errcode(ERRCODE_DATA_CORRUPTED), errmsg("tenant log %d is damaged", log->number)));
    memcpy(log->id, id.data, id.size);
    log->frontier = frontier_of(pg::column(0, 3, &is_null));
    SPI_freetuptable(SPI_tuptable);  // there may be many logs
    return log;
}

// Most logs grow by few leaves in a pass, and there may be many logs.
void make_room(const Pass &pass, Log *log) {
    if (log->count < log->room) return;
    MemoryContext caller = MemoryContextSwitchTo(pass.memory);
    int room = log->room == 0 ? 4 : Min(2 * log->room, kChunk);
    if (log->room == 0) {
        log->seqs = static_cast<int64 *>(palloc(sizeof(int64) * room));
        log->leaves = static_cast<core::Digest *>(palloc(sizeof(core::Digest) * room));
    } else {
        log->seqs = static_cast<int64 *>(repalloc(log->seqs, sizeof(int64) * room));
        log->leaves =
            static_cast<core::Digest *>(repalloc(log->leaves, sizeof(core::Digest) * room));
    }
    log->room = room;
    MemoryContextSwitchTo(caller);
}

// Writes the collected leaves; root only with the last row of a log in this pass.
void write_leaves(const Pass &pass, Log *log, const core::Digest *root) {
    static pg::Statement insert = {
        "INSERT INTO aegis.seal_leaves (seal, log, first_leaf, last_seq, seqs, leaves, root) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        7,
        {INT8OID, INT4OID, INT8OID, INT8OID, INT8ARRAYOID, BYTEAOID, BYTEAOID},
        nullptr};
    static Datum elements[kChunk];
    for (int i = 0; i < log->count; i++) elements[i] = Int64GetDatum(log->seqs[i]);
    Datum values[7] = {Int64GetDatum(pass.number),
                       Int32GetDatum(log->number),
                       Int64GetDatum(static_cast<int64>(log->frontier.size) - log->count),
                       Int64GetDatum(log->seqs[log->count - 1]),
                       PointerGetDatum(construct_array(elements, log->count, INT8OID, sizeof(int64),
                                                       FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
                       bytea_of({log->leaves[0].bytes, core::kDigestBytes * log->count}),
                       root != nullptr ? bytea_of(root->view()) : static_cast<Datum>(0)};
    pg::execute(insert, values, root != nullptr ? "       " : "      n");
    pfree(DatumGetPointer(values[4]));
    pfree(DatumGetPointer(values[5]));
    log->count = 0;
}

void add(Pass *pass, const LogKey &key, int64 seq, const core::Digest &leaf) {
    Log *log = open_log(pass, key);
    if (log->count == kChunk) write_leaves(*pass, log, nullptr);
    make_room(*pass, log);
    log->seqs[log->count] = seq;
    log->leaves[log->count++] = leaf;
    tree::append(&pass->nodes, log->number, &log->frontier, leaf);
    pass->entries++;
    pass->last_seq = Max(pass->last_seq, seq);
}

// Candidates of the previous snapshot that the current one sees. What an old epoch left unsealed is
// adopted by the first seal of the new one. The planner sees the size of the table once for a plan
// that is kept, and while it is small may find it cheapest to read every entry for the sake of one
// open transaction: so it is asked again each time that the ledger has doubled. Each transaction is
// looked up by itself: of an array in a second column the planner may make a filter, and does where
// few transactions wrote most entries.
SPIPlanPtr candidates() {
    static SPIPlanPtr plan = nullptr;
    static int64 kept_until = 0;
    if (plan != nullptr && newest_sealed <= kept_until) return plan;
    Oid types[2] = {INT4OID, PG_SNAPSHOTOID};
    SPIPlanPtr fresh = SPI_prepare_cursor(
        "SELECT seq, tenant_id, leaf FROM aegis.entry"
        " WHERE epoch = $1 AND xid >= pg_catalog.pg_snapshot_xmax($2)"
        " UNION ALL SELECT e.seq, e.tenant_id, e.leaf FROM pg_catalog.pg_snapshot_xip($2) open"
        " CROSS JOIN LATERAL (SELECT seq, tenant_id, leaf FROM aegis.entry"
        " WHERE epoch = $1 AND xid = open OFFSET 0) e"
        " UNION ALL SELECT seq, tenant_id, leaf FROM aegis.entry WHERE epoch > $1"
        " ORDER BY 1",
        2, types, 0);
    if (fresh == nullptr || SPI_keepplan(fresh) != 0)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("could not plan the sealing of the ledger")));
    if (plan != nullptr) SPI_freeplan(plan);
    kept_until = 2 * newest_sealed + 500;
    return plan = fresh;
}

// Plans are made while the tables are small, or guess from no statistics that a third of the
// entries belongs to a newer epoch, and are kept: one that reads all entries or all logs would do
// so in every pass. The caller gives the level that this returns to AtEOXact_GUC().
int use_indexes() {
    int level = NewGUCNestLevel();
    (void)set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                            true, 0, false);
    return level;
}

void collect(Pass *pass) {
    Datum values[2] = {Int32GetDatum(pass->previous.epoch), pass->previous.snapshot};
    Portal cursor = SPI_cursor_open(nullptr, candidates(), values, nullptr, true);
    for (;;) {
        SPI_cursor_fetch(cursor, true, kFetch);
        if (SPI_processed == 0) break;
        SPITupleTable *rows = SPI_tuptable;
        uint64 count = SPI_processed;
        for (uint64 i = 0; i < count; i++) {
            bool is_null;
            int64 seq = DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &is_null));
            LogKey key = {};
            Datum tenant = SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &is_null);
            if (!is_null) {
                key.has_tenant = 1;
                key.tenant = *DatumGetUUIDP(tenant);
            }
            core::ByteView bytes =
                pg::varlena_view(SPI_getbinval(rows->vals[i], rows->tupdesc, 3, &is_null));
            if (bytes.size != core::kDigestBytes)
                ereport(ERROR,
                        (errcode(ERRCODE_DATA_CORRUPTED),
                         errmsg("ledger entry seq " INT64_FORMAT " has a damaged leaf", seq)));
            core::Digest leaf;
            memcpy(leaf.bytes, bytes.data, bytes.size);
            add(pass, key, seq, leaf);
        }
        SPI_freetuptable(rows);
        worker::beat();
        CHECK_FOR_INTERRUPTS();
    }
    SPI_cursor_close(cursor);
}

void write_head(const Log &log, const core::Digest &root) {
    static pg::Statement insert = {
        "INSERT INTO aegis.tenant_log (log, log_id, tenant_id, size, frontier, root)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        6,
        {INT4OID, BYTEAOID, UUIDOID, INT8OID, BYTEAOID, BYTEAOID},
        nullptr};
    static pg::Statement update = {
        "UPDATE aegis.tenant_log SET size = $2, frontier = $3, root = $4 WHERE log "
        "OPERATOR(pg_catalog.=) $1",
        4,
        {INT4OID, INT8OID, BYTEAOID, BYTEAOID},
        nullptr};
    if (log.is_new) {
        Datum values[6] = {
            Int32GetDatum(log.number),      bytea_of({log.id, sizeof log.id}),
            UUIDPGetDatum(&log.key.tenant), Int64GetDatum(static_cast<int64>(log.frontier.size)),
            datum_of(log.frontier),         bytea_of(root.view())};
        pg::execute(insert, values, log.key.has_tenant ? "      " : "  n   ");
        return;
    }
    Datum values[4] = {Int32GetDatum(log.number),
                       Int64GetDatum(static_cast<int64>(log.frontier.size)), datum_of(log.frontier),
                       bytea_of(root.view())};
    pg::execute(update, values);
}

int by_number(const void *a, const void *b) {
    return (*static_cast<Log *const *>(a))->number - (*static_cast<Log *const *>(b))->number;
}

// Closes every log that grew; its head becomes the next leaf of the root log, in order of numbers.
void write_logs(Pass *pass) {
    long count = hash_get_num_entries(pass->logs);
    Log **logs = static_cast<Log **>(palloc(sizeof(Log *) * count));
    HASH_SEQ_STATUS status;
    hash_seq_init(&status, pass->logs);
    long at = 0;
    while (void *entry = hash_seq_search(&status)) logs[at++] = static_cast<Log *>(entry);
    qsort(logs, count, sizeof *logs, by_number);
    for (long i = 0; i < count; i++) {
        Log *log = logs[i];
        core::Digest root, head;
        pg::raise(pg::run([&] {
            root = log->frontier.root();
            head = core::head_leaf({log->id, sizeof log->id}, log->frontier.size, root);
        }));
        tree::append(&pass->nodes, tree::kRootLog, &pass->previous.root_log, head);
        write_leaves(*pass, log, &root);
        write_head(*log, root);
    }
}

void write_seal(const Pass &pass) {
    static pg::Statement insert = {
        "INSERT INTO aegis.seal (number, epoch, sealed_at, snapshot, wal, entries, root_size, "
        "root, previous, hash,"
        " root_frontier, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        12,
        {INT8OID, INT4OID, TIMESTAMPTZOID, PG_SNAPSHOTOID, LSNOID, INT8OID, INT8OID, BYTEAOID,
         BYTEAOID, BYTEAOID, BYTEAOID, BYTEAOID},
        nullptr};
    core::SealFields fields;
    fields.epoch = static_cast<uint64_t>(pass.epoch);
    fields.number = static_cast<uint64_t>(pass.number);
    fields.unix_micros = ledger::unix_micros(pass.now);
    fields.entries = static_cast<uint64_t>(pass.entries);
    fields.root_size = pass.previous.root_log.size;
    fields.previous = pass.previous.hash;
    fields.snapshot = pass.snapshot;
    fields.wal_position = pass.wal;
    core::Digest hash;
    struct varlena *body = nullptr;
    pg::raise(pg::run([&] { fields.root = pass.previous.root_log.root(); }));
    body = pg::alloc_varlena(core::encode_seal(fields, {}));
    core::encode_seal(fields, pg::payload(body));
    pg::raise(pg::run([&] { hash = core::seal_hash(pg::payload(body)); }));

    Datum values[12] = {Int64GetDatum(pass.number),
                        Int32GetDatum(pass.epoch),
                        TimestampTzGetDatum(pass.now),
                        DirectFunctionCall1(pg_snapshot_in, CStringGetDatum(pass.snapshot)),
                        LSNGetDatum(pass.wal),
                        Int64GetDatum(pass.entries),
                        Int64GetDatum(static_cast<int64>(fields.root_size)),
                        bytea_of(fields.root.view()),
                        bytea_of(fields.previous.view()),
                        bytea_of(hash.view()),
                        datum_of(pass.previous.root_log),
                        PointerGetDatum(body)};
    pg::execute(insert, values);
}

// A partition that cannot be made now is made later; the default one takes entries meanwhile.
void make_partitions() {
    MemoryContext context = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    BeginInternalSubTransaction(nullptr);
    PG_TRY();
    {
        ledger_entry::make_ahead();
        ReleaseCurrentSubTransaction();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        ErrorData *error = CopyErrorData();
        FlushErrorState();
        RollbackAndReleaseCurrentSubTransaction();
        if (error->sqlerrcode == ERRCODE_QUERY_CANCELED) ReThrowError(error);
        ereport(WARNING, (errcode(error->sqlerrcode),
                          errmsg("could not make a partition of the ledger: %s", error->message),
                          errdetail("Entries go to aegis.entry_default meanwhile.")));
        FreeErrorData(error);
    }
    PG_END_TRY();
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
}

void at_transaction_end(XactEvent event, void *) {
    if (event == XACT_EVENT_COMMIT && sealed_micros_pending != 0) {
        worker::Slot *slot = worker::slot();
        if (slot != nullptr && slot->sealed_micros.load() < sealed_micros_pending)
            slot->sealed_micros.store(sealed_micros_pending);
    }
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
        sealed_micros_pending = 0;
}

}  // namespace

int pass() {
    if (guc::restore_mode || RecoveryInProgress())
        return 0;  // the tables are being filled by a restore, or by the primary
    const ledger_tables::Oids *oids = ledger_tables::find();
    if (oids == nullptr || !OidIsValid(oids->seal)) return 0;
    worker::lock_for_transaction(worker::Part::seal);

    Pass pass = {};
    pass.now = GetCurrentTimestamp();
    pass.began_micros = worker::now_micros();
    pass.wal = GetXLogInsertRecPtr();
    static int64 partitions_made_for = -1;
    ledger_tables::own_change([&] {
        PushActiveSnapshot(GetTransactionSnapshot());
        connect();
        int settings = use_indexes();
        read_previous(&pass.previous);
        pass.epoch = check_epoch(pass.previous);
        pass.number = pass.previous.number + 1;
        static pg::Statement now = {
            "SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text, "
            "coalesce(pg_catalog.max(log) OPERATOR(pg_catalog.+) 1, 1) FROM aegis.tenant_log",
            0,
            {},
            nullptr};
        bool is_null;
        pg::read(now, nullptr);
        pass.snapshot = TextDatumGetCString(pg::column(0, 1, &is_null));
        pass.next_log = DatumGetInt32(pg::column(0, 2, &is_null));

        pass.memory = CurrentMemoryContext;
        pass.nodes.memory = CurrentMemoryContext;
        HASHCTL control = {};
        control.keysize = sizeof(LogKey);
        control.entrysize = sizeof(Log);
        control.hcxt = CurrentMemoryContext;
        pass.logs = hash_create("aegis logs of a pass", 64, &control,
                                HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
        collect(&pass);
        if (pass.entries > 0) {
            if (pass.epoch == 0) {
                begin_first_epoch();
                pass.epoch = 1;
            }
            write_logs(&pass);
            tree::flush(&pass.nodes);
            write_seal(pass);
        }
        SPI_finish();
        AtEOXact_GUC(true, settings);
        PopActiveSnapshot();
    });
    newest_sealed = Max(newest_sealed, pass.last_seq);
    if (partitions_made_for < 0 ||
        pass.last_seq / ledger_entry::kPartitionEntries > partitions_made_for) {
        make_partitions();
        partitions_made_for = pass.last_seq / ledger_entry::kPartitionEntries;
    }
    // Everything that had committed before the snapshot was taken is now in a seal.
    sealed_micros_pending = pass.began_micros;
    return static_cast<int>(Min(pass.entries, static_cast<int64>(INT_MAX)));
}

void define() {
    RegisterXactCallback(at_transaction_end, nullptr);
}

}  // namespace aegis::seal

#ifdef AEGIS_TESTING
AEGIS_FUNCTION(aegis_test_seal_pass) {
    PG_RETURN_INT32(aegis::seal::pass());
}
#endif
