// SPDX-License-Identifier: Apache-2.0
// The job. What is left to do is read from the values themselves, so nothing but the job's row has
// to survive a crash: a pass looks a tenant's rows of one table up in one snapshot, seals them anew
// batch by batch, and looks again until it finds none. docs/reseal.md.
#include "reseal.hpp"

#include "field.hpp"
#include "guc.hpp"
#include "job_table.hpp"
#include "key.hpp"
#include "key_root.hpp"
#include "key_subject.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "reseal_count.hpp"
#include "role.hpp"
#include "sealed.hpp"

namespace aegis::reseal {

namespace {

// Rows of one transaction: they are locked until it ends.
constexpr int64 kBatchRows = 5000;
// Rows that one look remembers, twelve bytes each; those beyond are found by the next.
constexpr int64 kMostRows = 4 * 1000 * 1000;
constexpr int64 kFetchRows = 10000;
// Before another try when everybody else holds the rows that are left.
constexpr int kBusyRestMillis = 200;

struct Row {
    ItemPointerData place;
    uint32 epoch;
};

struct Table {
    Oid relation;
    const char *look, *seal;  // statements
    bool clean;               // nothing was left, and nothing can come any more
    uint64 failed;            // values that do not open
    bool stuck;  // what is left stays: it does not open, or its data subject was erased
};

// What this process remembers between two steps. It is made anew whenever it does not fit.
struct Work {
    MemoryContext memory;
    int64 job;  // 0: none
    pg_uuid_t tenant;
    uint32_t epoch;
    int count, at;
    Table *tables;
    Row *rows;
    int64 row_count, next_row;
    bool looked;
    Tally pass;        // of the rows of one look
    uint64 passed_by;  // rows that others held
    // Of when the job began: they may have sealed under an older epoch what nobody sees yet.
    job::Writers writers;
} work;

void fail(const char *what) {
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not %s", what)));
}

// Statements for a table; false when it has no encrypted column.
bool describe(Oid oid, Table *table) {
    Relation relation = try_relation_open(oid, AccessShareLock);
    if (relation == nullptr) return false;
    StringInfoData epochs, changes;
    initStringInfo(&epochs);
    initStringInfo(&changes);
    TupleDesc shape = RelationGetDescr(relation);
    bool has_tenant = false;
    for (int i = 0; i < shape->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        if (attribute->attisdropped) continue;
        has_tenant |=
            attribute->atttypid == UUIDOID && strcmp(NameStr(attribute->attname), "tenant_id") == 0;
        if (sealed::find_type(attribute->atttypid) == nullptr) continue;
        const char *column = quote_identifier(NameStr(attribute->attname));
        appendStringInfo(&epochs, "%saegis.key_epoch(%s)", epochs.len > 0 ? ", " : "", column);
        appendStringInfo(&changes, "%s%s = aegis.reseal(%s%s)", changes.len > 0 ? ", " : "", column,
                         column, field::row_argument(relation, attribute->attnum));
    }
    bool fits = has_tenant && epochs.len > 0 && relation->rd_rel->relkind == RELKIND_RELATION &&
                relation->rd_rel->relpersistence != RELPERSISTENCE_TEMP;
    if (fits) {
        const char *name = quote_qualified_identifier(
            get_namespace_name(RelationGetNamespace(relation)), RelationGetRelationName(relation));
        MemoryContext caller = MemoryContextSwitchTo(work.memory);
        *table = {};
        table->relation = oid;
        table->look =
            psprintf("SELECT ctid, least(%s) FROM ONLY %s WHERE tenant_id = $1", epochs.data, name);
        table->seal = psprintf(
            "UPDATE ONLY %s AS %s SET %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM ONLY %s WHERE "
            "ctid = ANY ($2) AND tenant_id = $1 AND least(%s) < $3 FOR UPDATE SKIP LOCKED))",
            name, field::kRowAlias, changes.data, name, epochs.data);
        MemoryContextSwitchTo(caller);
    }
    relation_close(relation, AccessShareLock);
    return fits;
}

void list_tables() {
    List *oids = field::tables();
    work.tables = static_cast<Table *>(
        MemoryContextAlloc(work.memory, sizeof(Table) * (list_length(oids) + 1)));
    ListCell *cell;
    foreach (cell, oids)
        if (describe(lfirst_oid(cell), &work.tables[work.count])) work.count++;
}

void start(const job::Job &job, uint32_t epoch) {
    if (work.memory == nullptr)
        work.memory =
            AllocSetContextCreate(TopMemoryContext, "aegis reseal", ALLOCSET_DEFAULT_SIZES);
    MemoryContext memory = work.memory;
    MemoryContextReset(memory);
    work = {};
    work.memory = memory;
    work.tenant = job.tenant;
    work.epoch = epoch;
    list_tables();
    // Every later seal stands under the current epoch: sessions look it up again once it is there.
    for (int i = 0; i < work.count; i++)
        job::note_writers(work.tables[i].relation, work.memory, &work.writers);
}

int by_epoch_and_place(const void *a, const void *b) {
    const Row *left = static_cast<const Row *>(a), *right = static_cast<const Row *>(b);
    if (left->epoch != right->epoch) return left->epoch < right->epoch ? -1 : 1;
    return ItemPointerCompare(const_cast<ItemPointer>(&left->place),
                              const_cast<ItemPointer>(&right->place));
}

void remember(int64 *room, const Row &row) {
    if (work.row_count == *room) {
        *room = *room == 0 ? kFetchRows : Min(*room * 2, kMostRows);
        size_t bytes = sizeof(Row) * *room;
        work.rows =
            static_cast<Row *>(work.rows == nullptr ? MemoryContextAllocHuge(work.memory, bytes)
                                                    : repalloc_huge(work.rows, bytes));
    }
    work.rows[work.row_count++] = row;
}

// One snapshot over the tenant's rows of a table: how many stand under which epoch, and where those
// of older ones are.
void look(const Table &table) {
    if (work.rows != nullptr) pfree(work.rows);
    work.rows = nullptr;
    work.row_count = work.next_row = work.passed_by = 0;
    work.pass = {};
    int64 room = 0;
    count::Epochs epochs;
    count::begin(&epochs);

    job::AsOwner entered = job::enter_table(table.relation, false);
    Oid types[] = {UUIDOID};
    Datum values[] = {UUIDPGetDatum(&work.tenant)};
    Portal portal =
        SPI_cursor_open_with_args(nullptr, table.look, 1, types, values, nullptr, true, 0);
    bool mixed = false;
    for (;;) {
        SPI_cursor_fetch(portal, true, kFetchRows);
        uint64 fetched = SPI_processed;
        for (uint64 i = 0; i < fetched; i++) {
            bool is_null;
            Datum epoch = pg::column(i, 2, &is_null);
            if (is_null) continue;  // the row has no encrypted value
            Row row;
            row.epoch = static_cast<uint32>(DatumGetInt32(epoch));
            count::add(&epochs, row.epoch);
            if (row.epoch == work.epoch || work.row_count == kMostRows) continue;
            row.place = *reinterpret_cast<ItemPointer>(DatumGetPointer(pg::column(i, 1, &is_null)));
            mixed |= work.row_count > 0 && work.rows[work.row_count - 1].epoch != row.epoch;
            remember(&room, row);
        }
        SPI_freetuptable(SPI_tuptable);
        CHECK_FOR_INTERRUPTS();
        if (fetched == 0) break;
    }
    SPI_cursor_close(portal);
    job::leave_table(entered);
    if (mixed) qsort(work.rows, work.row_count, sizeof(Row), by_epoch_and_place);
    count::store(epochs, work.tenant, table.relation);
    work.looked = true;
}

// The next rows of one epoch, sealed anew unless somebody else holds them. Returns how many.
int64 seal_batch(const Table &table) {
    int64 first = work.next_row, count = 0;
    Datum *places = static_cast<Datum *>(palloc(sizeof(Datum) * kBatchRows));
    uint32 epoch = work.rows[first].epoch;
    while (first + count < work.row_count && count < kBatchRows &&
           work.rows[first + count].epoch == epoch) {
        places[count] = PointerGetDatum(&work.rows[first + count].place);
        count++;
    }
    ArrayType *array = construct_array(places, static_cast<int>(count), TIDOID,
                                       sizeof(ItemPointerData), false, TYPALIGN_SHORT);
    Oid types[] = {UUIDOID, get_array_type(TIDOID), INT4OID};
    Datum arguments[] = {UUIDPGetDatum(&work.tenant), PointerGetDatum(array),
                         Int32GetDatum(static_cast<int32>(work.epoch))};
    Tally before = tally();
    job::AsOwner entered = job::enter_table(table.relation, true);
    // The rows lie next to each other, so places cost little; the planner believes that each is a
    // read of its own, and would rather read the whole table for every batch.
    (void)set_config_option("random_page_cost", "0.01", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                            true, 0, false);
    begin_running();
    if (SPI_execute_with_args(table.seal, 3, types, arguments, nullptr, false, 0) != SPI_OK_UPDATE)
        fail("seal rows anew");
    int64 taken = static_cast<int64>(SPI_processed);
    job::leave_table(entered);
    uint64 values_sealed = tally().sealed - before.sealed;
    work.pass.sealed += values_sealed;
    work.pass.failed += tally().failed - before.failed;
    work.passed_by += count - taken;
    work.next_row += count;
    if (values_sealed == 0) return 0;
    count::move(work.tenant, table.relation, epoch, work.epoch, taken);
    return taken;
}

// What a look has found is done: is the table?
job::Progress end_pass(const job::Job &job) {
    Table &table = work.tables[work.at];
    job::Progress progress = {};
    progress.done = job.done;
    work.looked = false;
    if (work.row_count == 0) {
        table.clean = work.writers.count == 0;
        work.at++;
    } else if (work.pass.sealed == 0 && work.passed_by == 0) {
        table.failed = work.pass.failed;
        table.stuck = true;  // once more, for the count
    } else if (work.pass.sealed == 0) {
        progress.rest_millis = kBusyRestMillis;
    }
    return progress;
}

job::Progress finish(const job::Job &job) {
    uint64 failed = 0;
    for (int i = 0; i < work.count; i++) failed += work.tables[i].failed;
    int64 rows = count::report(work.tenant);
    // The roots stay: the ledger's entries of their time stand under them.
    if (failed == 0)
        count::retire(work.tenant, work.epoch);
    else
        ereport(WARNING, (errmsg("job " INT64_FORMAT " left " UINT64_FORMAT
                                 " values under an older key, which do not open",
                                 job.id, failed),
                          errhint("aegis.verify_fields() names their rows.")));
    return {true, job.done,
            psprintf("{\"epoch\": %u, \"rows\": " INT64_FORMAT ", \"failed\": " UINT64_FORMAT "}",
                     work.epoch, rows, failed),
            0};
}

job::Progress advance(const job::Job &job) {
    if (work.at == work.count) {
        bool clean = true;
        for (int i = 0; i < work.count; i++) clean &= work.tables[i].clean;
        if (clean) {
            // Their keys open under any root that is kept; a leaked one must not open them for
            // long.
            int64 keys = key::rewrap_subjects(job.tenant, work.epoch);
            if (keys > 0) return {false, job.done, nullptr, 0};
            return finish(job);
        }
        if (work.writers.count > 0) return {false, job.done, nullptr, kBusyRestMillis};
        work.at = 0;
    }
    const Table &table = work.tables[work.at];
    if (table.clean || get_rel_name(table.relation) == nullptr) {
        work.tables[work.at].clean = true;
        work.looked = false;
        work.at++;
        return {false, job.done, nullptr, 0};
    }
    if (!work.looked) {
        look(table);
        if (table.stuck) {
            work.tables[work.at].clean = true;
            work.looked = false;
            work.at++;
            return {false, job.done, nullptr, 0};
        }
    } else if (work.next_row < work.row_count) {
        int64 sealed = seal_batch(table);
        int64 rest = guc::reseal_rate > 0 ? sealed * 1000 / guc::reseal_rate : 0;
        return {false, job.done + sealed, nullptr, static_cast<int>(rest)};
    }
    if (work.next_row == work.row_count) return end_pass(job);
    return {false, job.done, nullptr, 0};
}

}  // namespace

job::Progress step(const job::Job &job) {
    uint32_t epoch = key::newest_epoch(job.tenant, key::RootKind::root);
    if (epoch == 0) {
        key::Root root;  // says what is wrong
        key::load_root(job.tenant, key::RootKind::root, key::kCurrentEpoch, &root);
        fail("find the key of the tenant");
    }
    bool fits = work.job == job.id && work.epoch == epoch;
    // An error leaves the memory as it may be.
    work.job = 0;
    if (!fits) start(job, epoch);
    job::Progress progress = advance(job);
    job::forget_gone(&work.writers);  // now, so that the next snapshot sees what they left
    work.job = progress.finished ? 0 : job.id;
    return progress;
}

}  // namespace aegis::reseal
