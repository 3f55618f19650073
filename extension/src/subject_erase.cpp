// SPDX-License-Identifier: Apache-2.0
// The job: takes the search tokens out of erased people's values, so that a guess cannot be
// confirmed by a search, writes the file of keys anew, and says so in the ledger. It knows nobody
// by name: a value is one of theirs when its row names somebody whose key is destroyed.
#include "subject.hpp"

#include "context.hpp"
#include "field.hpp"
#include "job_table.hpp"
#include "key_subject.hpp"
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "reseal.hpp"

namespace aegis::subject {

namespace {

constexpr int kWaitMillis = 100;
constexpr int kPatienceMillis = 60 * 1000;

// Whoever is erased later waits for the next job.
pg::Statement take_people = {
    "UPDATE aegis.subject_shred SET job = $2 WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND "
    "files_clean_at IS NULL",
    2,
    {UUIDOID, INT8OID},
    nullptr};

pg::Statement note_clean = {
    "UPDATE aegis.subject_shred s SET files_clean_at = pg_catalog.clock_timestamp() WHERE "
    "s.tenant_id OPERATOR(pg_catalog.=) $1 AND s.job OPERATOR(pg_catalog.=) $2 AND "
    "s.files_clean_at IS NULL RETURNING pg_catalog.encode(s.name, 'hex'), s.generation",
    2,
    {UUIDOID, INT8OID},
    nullptr};

enum class Phase { note, wait, strip, settle };

// Of this process; after a crash the job begins anew, which changes nothing that was done.
struct Work {
    MemoryContext memory;
    int64 job;  // 0: none
    Phase phase;
    TimestampTz began;
    job::Writers writers;
} work;

// The statement that takes tokens out of the rows of a table; nullptr when it has none of people.
char *stripping(Oid oid) {
    Relation relation = try_relation_open(oid, AccessShareLock);
    if (relation == nullptr) return nullptr;
    StringInfoData changes, where;
    initStringInfo(&changes);
    initStringInfo(&where);
    TupleDesc shape = RelationGetDescr(relation);
    for (int i = 0; i < shape->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        if (attribute->attisdropped) continue;
        const sealed::Type *type = sealed::find_type(attribute->atttypid);
        const field::Column *bound = field::bound_column(relation, attribute->attnum);
        if (type == nullptr || type->reference == 0 || bound == nullptr || bound->subject == 0)
            continue;
        const char *column = quote_identifier(NameStr(attribute->attname));
        appendStringInfo(&changes, "%s%s = aegis.without_dead_token(%s, %s)",
                         changes.len > 0 ? ", " : "", column, column, field::kRowAlias);
        appendStringInfo(&where, "%saegis.has_dead_token(%s, %s)", where.len > 0 ? " OR " : "",
                         column, field::kRowAlias);
    }
    char *text = nullptr;
    if (changes.len > 0 && relation->rd_rel->relkind == RELKIND_RELATION)
        text =
            psprintf("UPDATE ONLY %s AS %s SET %s WHERE tenant_id = $1 AND (%s)",
                     quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
                                                RelationGetRelationName(relation)),
                     field::kRowAlias, changes.data, where.data);
    relation_close(relation, AccessShareLock);
    return text;
}

int64 strip(const job::Job &job) {
    int64 rows = 0;
    reseal::begin_running();  // the ledger is not told: the row says what it said
    ListCell *cell;
    foreach (cell, field::tables()) {
        char *text = stripping(lfirst_oid(cell));
        if (text == nullptr) continue;
        Oid types[] = {UUIDOID};
        Datum values[] = {UUIDPGetDatum(&job.tenant)};
        job::AsOwner entered = job::enter_table(lfirst_oid(cell), true);
        if (SPI_execute_with_args(text, 1, types, values, nullptr, false, 0) != SPI_OK_UPDATE)
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not remove tokens")));
        rows += static_cast<int64>(SPI_processed);
        job::leave_table(entered);
    }
    return rows;
}

// True while a transaction is open that may still see the rows as they were: a new file would hold
// them too.
bool dead_keys_are_needed(const pg_uuid_t &tenant) {
    ScanKeyData key;
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&tenant));
    own_table::Scan scan = own_table::begin("subject_key", &key);
    TransactionId oldest = GetOldestNonRemovableTransactionId(scan.relation);
    bool needed = false;
    while (HeapTuple tuple = own_table::next(scan)) {
        bool destroyed;
        own_table::column(scan, tuple, 5, &destroyed);
        TransactionId writer = HeapTupleHeaderGetXmin(tuple->t_data);
        needed |=
            destroyed && TransactionIdIsNormal(writer) && !TransactionIdPrecedes(writer, oldest);
    }
    own_table::end(scan);
    return needed;
}

job::Progress settle(const job::Job &job) {
    if (dead_keys_are_needed(job.tenant)) {
        if (TimestampDifferenceExceeds(work.began, GetCurrentTimestamp(), kPatienceMillis))
            ereport(ERROR,
                    (errcode(ERRCODE_OBJECT_IN_USE),
                     errmsg("a transaction is open that began before the keys were destroyed, so "
                            "the file of keys would keep them"),
                     errhint("See backend_xmin in pg_stat_activity, pg_prepared_xacts and "
                             "pg_replication_slots; end it and resume the job.")));
        return {false, job.done, nullptr, kWaitMillis};
    }
    // CLUSTER, and not VACUUM FULL, because it may stand in a transaction.
    ledger_tables::own_change([&] {
        if (SPI_execute("CLUSTER aegis.subject_key USING subject_key_pkey", false, 0) < 0)
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                            errmsg("could not rewrite the table of keys")));
    });
    pg_uuid_t id = job.tenant;
    Datum values[] = {UUIDPGetDatum(&id), Int64GetDatum(job.id)};
    uint64 count = pg::execute(note_clean, values);
    SPITupleTable *people = SPI_tuptable;
    for (uint64 i = 0; i < count; i++) {
        bool is_null;
        const ledger::DetailPair pairs[] = {
            {"generation", nullptr,
             DatumGetInt32(SPI_getbinval(people->vals[i], people->tupdesc, 2, &is_null))}};
        uint8_t buffer[64];
        ledger::Event event{"subject.erased"};
        event.tenant = &id;
        event.target_kind = "subject";
        event.target_id = SPI_getvalue(people->vals[i], people->tupdesc, 1);
        event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
        ledger::append(event);
    }
    return {
        true, job.done,
        psprintf("{\"rows\": " INT64_FORMAT ", \"subjects\": " UINT64_FORMAT "}", job.done, count),
        0};
}

void start() {
    if (work.memory == nullptr)
        work.memory =
            AllocSetContextCreate(TopMemoryContext, "aegis erasure", ALLOCSET_DEFAULT_SIZES);
    MemoryContextReset(work.memory);
    work = {work.memory, 0, Phase::note, GetCurrentTimestamp(), {}};
}

void require_job() {
    const context::Context *context = context::current();
    if (context == nullptr || context->way != context::Way::job)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("search tokens are removed by a job only"),
                        errhint("aegis.shred_subject() creates one.")));
}

bool has_dead_token(FunctionCallInfo fcinfo) {
    require_job();
    sealed::type_of(fcinfo);
    core::ByteView value = pg::varlena_view(PG_GETARG_DATUM(0));
    core::EnvelopeParts parts{};
    field::Bond bond;
    return !pg::run([&] { parts = core::parse_envelope(value); }).failed && parts.token.size != 0 &&
           (parts.header.flags & core::kFlagSubject) != 0 &&
           field::read_bond(fcinfo, parts, &bond) &&
           key::subject_state(context::current()->tenant, bond.subject) ==
               key::SubjectState::destroyed;
}

}  // namespace

job::Progress erase_step(const job::Job &job) {
    if (work.job != job.id) start();
    work.job = 0;  // an error begins anew
    job::Progress progress = {false, job.done, nullptr, 0};
    switch (work.phase) {
        case Phase::note: {  // whoever used a key before it was destroyed ends first
            pg_uuid_t id = job.tenant;
            Datum values[] = {UUIDPGetDatum(&id), Int64GetDatum(job.id)};
            pg::execute(take_people, values);
            ListCell *cell;
            foreach (cell, field::tables())
                job::note_writers(lfirst_oid(cell), work.memory, &work.writers);
            work.phase = Phase::wait;
            break;
        }
        case Phase::wait:
            job::forget_gone(&work.writers);
            if (work.writers.count == 0)
                work.phase = Phase::strip;  // in the next snapshot
            else
                progress.rest_millis = kWaitMillis;
            break;
        case Phase::strip:
            progress.done += strip(job);
            work.phase = Phase::settle;
            break;
        case Phase::settle:
            progress = settle(job);
            break;
    }
    work.job = progress.finished ? 0 : job.id;
    return progress;
}

}  // namespace aegis::subject

using namespace aegis;

AEGIS_FUNCTION(aegis_has_dead_token) {
    PG_RETURN_BOOL(subject::has_dead_token(fcinfo));
}

AEGIS_FUNCTION(aegis_without_dead_token) {
    if (!subject::has_dead_token(fcinfo)) PG_RETURN_DATUM(PG_GETARG_DATUM(0));
    core::ByteView value = pg::varlena_view(PG_GETARG_DATUM(0));
    struct varlena *result = pg::alloc_varlena(value.size);
    size_t size = 0;
    pg::raise(pg::run([&] { size = core::strip_token(value, pg::payload(result)); }));
    SET_VARSIZE(result, VARHDRSZ + size);
    PG_RETURN_POINTER(result);
}
