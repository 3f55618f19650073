// SPDX-License-Identifier: Apache-2.0
#include "core/entry.hpp"

#include "verify_scan.hpp"

#include "ledger_entry.hpp"
#include "pg/function.hpp"

namespace aegis::verify_scan {

namespace {

constexpr int kBatch = 256;
constexpr Size kQueueBytes = 64 * kBatch * 16;
enum Part : uint64 { kShared = 1, kTenantList, kQueues, kTableScan };

struct Shared {
    Oid relation;
};

// What one process reads.
struct Reader {
    const Tenants *tenants;
    const Tenant *last;  // the entry before is most often of the same tenant
    TableScanDesc scan;
    TupleTableSlot *slot;
    MemoryContext memory;  // of one row, whose body may be long
    int count;
    Row rows[kBatch];
};

// Number of the tenant's log: 0 for none, -1 when the tenant is passed over.
int32 log_of(Reader *reader, const pg_uuid_t *tenant) {
    LogKey key = {};
    if (tenant != nullptr) key = {1, *tenant};
    if (reader->last != nullptr && compare_keys(reader->last->key, key) == 0)
        return reader->last->log;
    const Tenants &known = *reader->tenants;
    if (known.has_only && (tenant == nullptr || memcmp(tenant, &known.only, UUID_LEN) != 0))
        return -1;
    int low = 0, high = known.count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (compare_keys(known.list[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == known.count || compare_keys(known.list[low].key, key) != 0) return 0;
    reader->last = &known.list[low];
    return reader->last->log;
}

uint8 check(core::ByteView body, core::ByteView leaf, const pg_uuid_t *tenant, uint64 xid,
            int32 epoch, int32 ordinal) {
    uint8 fault = kFaultNone;
    pg::Report report = pg::run([&] {
        core::Digest real = core::leaf_hash(body);
        if (leaf.size != core::kDigestBytes || memcmp(real.bytes, leaf.data, leaf.size) != 0)
            fault |= kFaultLeaf;
        core::EntryFields fields;
        try {
            fields = core::decode_entry(body);
        } catch (const core::Error &) {
            fault |= kFaultBody;
            return;
        }
        bool same_tenant = tenant == nullptr
                               ? fields.tenant.size == 0
                               : fields.tenant.size == UUID_LEN &&
                                     memcmp(fields.tenant.data, tenant->data, UUID_LEN) == 0;
        if (!same_tenant || fields.xid != xid || fields.epoch != static_cast<uint64_t>(epoch) ||
            fields.ordinal != static_cast<uint32_t>(ordinal))
            fault |= kFaultColumns;
    });
    pg::raise(report);
    return fault;
}

void read_row(Reader *reader) {
    TupleTableSlot *slot = reader->slot;
    slot_getallattrs(slot);
    const Datum *values = slot->tts_values;
    const pg_uuid_t *tenant = slot->tts_isnull[ledger_entry::kTenant]
                                  ? nullptr
                                  : DatumGetUUIDP(values[ledger_entry::kTenant]);
    int32 log = log_of(reader, tenant);
    if (log < 0) return;
    // Whoever dropped a NOT NULL constraint gets a finding, not an accident.
    core::ByteView body, leaf;
    if (!slot->tts_isnull[ledger_entry::kBody])
        body = pg::varlena_view(values[ledger_entry::kBody]);
    if (!slot->tts_isnull[ledger_entry::kLeaf])
        leaf = pg::varlena_view(values[ledger_entry::kLeaf]);
    Row *row = &reader->rows[reader->count++];
    memset(static_cast<void *>(row), 0, sizeof *row);
    row->seq = DatumGetInt64(values[ledger_entry::kSeq]);
    Entry *entry = &row->entry;
    entry->present = true;
    entry->log = log;
    entry->epoch = DatumGetInt32(values[ledger_entry::kEpoch]);
    entry->xid = DatumGetUInt64(values[ledger_entry::kXid]);
    entry->fault = check(body, leaf, tenant, entry->xid, entry->epoch,
                         DatumGetInt32(values[ledger_entry::kOrdinal]));
    // None of them is ever empty, and an empty one is not 0.
    for (int column :
         {ledger_entry::kSeq, ledger_entry::kEpoch, ledger_entry::kXid, ledger_entry::kOrdinal})
        if (slot->tts_isnull[column]) entry->fault |= kFaultColumns;
    if (leaf.size == core::kDigestBytes) memcpy(entry->leaf.bytes, leaf.data, leaf.size);
}

Reader *open_reader(Relation relation, TableScanDesc scan, const Tenants *tenants) {
    Reader *reader = static_cast<Reader *>(palloc0(sizeof(Reader)));
    reader->tenants = tenants;
    reader->scan = scan;
    reader->slot = table_slot_create(relation, nullptr);
    reader->memory =
        AllocSetContextCreate(CurrentMemoryContext, "aegis entries", ALLOCSET_DEFAULT_SIZES);
    return reader;
}

// The next rows; false at the end of the table.
bool read_batch(Reader *reader) {
    CHECK_FOR_INTERRUPTS();
    MemoryContext caller = MemoryContextSwitchTo(reader->memory);
    bool more = true;
    reader->count = 0;
    // Rows that are passed over count too, so that nobody waits long.
    for (int seen = 0; more && seen < kBatch; seen++) {
        more = table_scan_getnextslot(reader->scan, ForwardScanDirection, reader->slot);
        if (more) read_row(reader);
        MemoryContextReset(reader->memory);
    }
    MemoryContextSwitchTo(caller);
    return more;
}

void close_reader(Reader *reader) {
    ExecDropSingleTupleTableSlot(reader->slot);
    table_endscan(reader->scan);
    MemoryContextDelete(reader->memory);
    pfree(reader);
}

// As PostgreSQL does it for its own scans: one more process for every so many blocks.
int helpers_for(BlockNumber blocks) {
    if (IsInParallelMode()) return 0;
    BlockNumber each = static_cast<BlockNumber>(Max(min_parallel_table_scan_size, 1));
    BlockNumber wanted = blocks / each;
    return static_cast<int>(
        Min(wanted, static_cast<BlockNumber>(max_parallel_maintenance_workers)));
}

// Blocks from `from` on, of `blocks`.
void read_alone(Relation relation, BlockNumber from, BlockNumber blocks, bool in_order,
                const Tenants &tenants, const Sink &sink) {
    // Only who reads everything in any order may join a scan that is under way.
    bool may_join = from == 0 && !in_order;
    TableScanDesc scan =
        table_beginscan_strat(relation, GetActiveSnapshot(), 0, nullptr, true, may_join);
    if (!may_join) heap_setscanlimits(scan, from, blocks - from);
    Reader *reader = open_reader(relation, scan, &tenants);
    bool more = true;
    while (more) {
        more = read_batch(reader);
        sink.take(sink.state, reader->rows, reader->count);
    }
    close_reader(reader);
}

// Takes what a helper has sent: all of it, or what is there already. False once the helper is gone.
bool receive(shm_mq_handle *queue, bool wait, const Sink &sink) {
    for (;;) {
        Size bytes;
        void *rows;
        shm_mq_result got = shm_mq_receive(queue, &bytes, &rows, !wait);
        if (got == SHM_MQ_DETACHED) return false;
        if (got == SHM_MQ_WOULD_BLOCK) return true;
        sink.take(sink.state, static_cast<Row *>(rows), static_cast<int>(bytes / sizeof(Row)));
    }
}

// A parallel scan counts the blocks that it has given away: one that begins with a higher count
// leaves out the first.
void skip_blocks(ParallelTableScanDesc scan, BlockNumber from) {
    if (from == 0) return;
    auto *blocks = reinterpret_cast<ParallelBlockTableScanDesc>(scan);
    scan->phs_syncscan = false;
    blocks->phs_startblock = 0;
    pg_atomic_write_u64(&blocks->phs_nallocated, from);
}

// Blocks of the table go to whoever asks next, this process included.
void read_together(Relation relation, BlockNumber from, int helpers, const Tenants &tenants,
                   const Sink &sink) {
    EnterParallelMode();
    ParallelContext *parallel = CreateParallelContext("aegis", "aegis_verify_worker", helpers);
    Size list_bytes = size_of(tenants.count);
    Size scan_bytes = table_parallelscan_estimate(relation, GetActiveSnapshot());
    Size queue_bytes = mul_size(kQueueBytes, static_cast<Size>(helpers));
    for (Size bytes : {sizeof(Shared), list_bytes, scan_bytes, queue_bytes})
        shm_toc_estimate_chunk(&parallel->estimator, bytes);
    shm_toc_estimate_keys(&parallel->estimator, 4);
    InitializeParallelDSM(parallel);

    Shared *shared = static_cast<Shared *>(shm_toc_allocate(parallel->toc, sizeof(Shared)));
    shared->relation = RelationGetRelid(relation);
    shm_toc_insert(parallel->toc, kShared, shared);
    void *list = shm_toc_allocate(parallel->toc, list_bytes);
    memcpy(list, &tenants, list_bytes);
    shm_toc_insert(parallel->toc, kTenantList, list);
    auto *table_scan =
        static_cast<ParallelTableScanDesc>(shm_toc_allocate(parallel->toc, scan_bytes));
    table_parallelscan_initialize(relation, table_scan, GetActiveSnapshot());
    skip_blocks(table_scan, from);
    shm_toc_insert(parallel->toc, kTableScan, table_scan);
    char *queues = static_cast<char *>(shm_toc_allocate(parallel->toc, queue_bytes));
    shm_toc_insert(parallel->toc, kQueues, queues);
    auto **handles = static_cast<shm_mq_handle **>(palloc0(sizeof(shm_mq_handle *) * helpers));
    for (int i = 0; i < parallel->nworkers; i++) {
        shm_mq *queue = shm_mq_create(queues + kQueueBytes * i, kQueueBytes);
        shm_mq_set_receiver(queue, MyProc);
        handles[i] = shm_mq_attach(queue, parallel->seg, nullptr);
    }
    LaunchParallelWorkers(parallel);
    ereport(DEBUG1,
            (errmsg_internal("%d processes help to read \"%s\"", parallel->nworkers_launched,
                             RelationGetRelationName(relation))));
    for (int i = 0; i < parallel->nworkers_launched; i++)
        shm_mq_set_handle(handles[i], parallel->worker[i].bgwhandle);

    Reader *reader =
        open_reader(relation, table_beginscan_parallel(relation, table_scan), &tenants);
    for (bool more = true; more;) {
        more = read_batch(reader);
        sink.take(sink.state, reader->rows, reader->count);
        for (int i = 0; i < parallel->nworkers_launched; i++)
            if (handles[i] != nullptr && !receive(handles[i], false, sink)) handles[i] = nullptr;
    }
    close_reader(reader);
    for (int i = 0; i < parallel->nworkers_launched; i++)
        if (handles[i] != nullptr) receive(handles[i], true, sink);
    WaitForParallelWorkersToFinish(parallel);
    DestroyParallelContext(parallel);
    ExitParallelMode();
}

}  // namespace

void read_partition(Oid oid, const verify_start::Start &start, const Tenants &tenants,
                    bool in_order, const Sink &sink) {
    Relation relation = table_open(oid, AccessShareLock);
    BlockNumber from = start.seal != 0 ? verify_start::first_block(start, relation) : 0;
    BlockNumber blocks = RelationGetNumberOfBlocks(relation);
    int helpers = from < blocks && !in_order ? helpers_for(blocks - from) : 0;
    if (helpers > 0)
        read_together(relation, from, helpers, tenants, sink);
    else if (from < blocks)
        read_alone(relation, from, blocks, in_order, tenants, sink);
    table_close(relation, AccessShareLock);
}

}  // namespace aegis::verify_scan

extern "C" AEGIS_EXPORT void aegis_verify_worker(dsm_segment *segment, shm_toc *contents) {
    using namespace aegis::verify_scan;
    auto *shared = static_cast<Shared *>(shm_toc_lookup(contents, kShared, false));
    auto *tenants = static_cast<Tenants *>(shm_toc_lookup(contents, kTenantList, false));
    auto *table_scan =
        static_cast<ParallelTableScanDesc>(shm_toc_lookup(contents, kTableScan, false));
    char *queues = static_cast<char *>(shm_toc_lookup(contents, kQueues, false));
    auto *queue = reinterpret_cast<shm_mq *>(queues + kQueueBytes * ParallelWorkerNumber);
    shm_mq_set_sender(queue, MyProc);
    shm_mq_handle *handle = shm_mq_attach(queue, segment, nullptr);

    Relation relation = table_open(shared->relation, AccessShareLock);
    Reader *reader = open_reader(relation, table_beginscan_parallel(relation, table_scan), tenants);
    for (bool more = true; more;) {
        more = read_batch(reader);
        if (reader->count > 0 && shm_mq_send(handle, sizeof(Row) * reader->count, reader->rows,
                                             false, false) != SHM_MQ_SUCCESS)
            break;  // the verification was given up
    }
    close_reader(reader);
    table_close(relation, AccessShareLock);
    shm_mq_detach(handle);
}
