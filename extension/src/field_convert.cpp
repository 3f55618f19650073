// SPDX-License-Identifier: Apache-2.0
// The order of a conversion: a twin with its trigger, rows in batches, constraints, indexes, and
// the swap. Every step asks the catalogs what is still to be done, so the same call begins, goes on
// and ends it. docs/field_convert.md.
#include "field_convert.hpp"
#include "field_register.hpp"
#include "field_twin.hpp"

#include "pg/function.hpp"
#include "pg/subtransaction.hpp"

namespace aegis::field::convert {

namespace {

// An exclusive lock is waited for so long while others queue behind it, then after a rest again.
constexpr int kLockMillis = 1000;
constexpr int kLockAttempts = 60;
constexpr long kRestMillis = 250;
constexpr int kMostRounds = 5;

const char *qualified(Oid table) {
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)),
                                      get_rel_name(table));
}

// Ends a batch: what was done stays, and locks go.
void end_transaction(const Conversion &c) {
    if (c.batch > 0) SPI_commit();
}

void rest(long millis) {
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, millis,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

void refuse_findings(const Conversion &c, bool rows) {
    NameData column;
    namestrcpy(&column, c.column);
    const char *subject = c.seals ? c.order->subject : nullptr;
    Oid types[] = {REGCLASSOID, NAMEOID, REGTYPEOID, BOOLOID, TEXTOID, BOOLOID};
    Datum values[] = {ObjectIdGetDatum(c.table),
                      NameGetDatum(&column),
                      ObjectIdGetDatum(c.seals ? c.order->type_oid : InvalidOid),
                      BoolGetDatum(rows),
                      subject ? CStringGetTextDatum(subject) : 0,
                      BoolGetDatum(c.seals && c.order->confirms)};
    char nulls[] = {' ', ' ', c.seals ? ' ' : 'n', ' ', subject ? ' ' : 'n', ' ', '\0'};
    if (SPI_execute_with_args("SELECT problem, fix FROM aegis.conversion_findings($1, $2, $3, $4, "
                              "$5::pg_catalog.name, $6) ORDER BY problem",
                              6, types, values, nulls, false, 0) != SPI_OK_SELECT)
        elog(ERROR, "could not look for what blocks a conversion");
    if (SPI_processed == 0) return;
    StringInfoData problems, fixes;
    initStringInfo(&problems);
    initStringInfo(&fixes);
    for (uint64 i = 0; i < SPI_processed; i++) {
        appendStringInfo(&problems, "%s%s", i ? "\n" : "",
                         SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
        appendStringInfo(&fixes, "%s%s", i ? "\n" : "",
                         SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2));
    }
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("column \"%s\" of table \"%s\" cannot be converted beside writers yet",
                           c.column, get_rel_name(c.table)),
                    errdetail("%s", problems.data), errhint("%s", fixes.data)));
}

void lock_all(void *argument) {
    const Conversion *c = static_cast<const Conversion *>(argument);
    if (LockTimeout == 0)
        (void)set_config_option("lock_timeout", psprintf("%d", kLockMillis), PGC_USERSET,
                                PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
    (void)find_all_inheritors(c->table, AccessExclusiveLock, nullptr);
}

// Takes the table for itself, for as short as can be: whoever comes meanwhile waits. Returns when
// it was taken.
TimestampTz lock_exclusively(Conversion *c) {
    for (int attempt = 1;; attempt++) {
        ErrorData *error = pg::try_in_subtransaction(lock_all, c);
        if (error == nullptr) return GetCurrentTimestamp();
        bool busy = error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
                    error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED;
        if (!busy || c->batch == 0) ReThrowError(error);
        if (attempt == kLockAttempts)
            ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
                            errmsg("table \"%s\" could not be locked for a moment",
                                   get_rel_name(c->table)),
                            errdetail("Long transactions hold it. What was done stays."),
                            errhint("Make the same call again when they have ended.")));
        end_transaction(*c);
        rest(kRestMillis);
    }
}

void release(Conversion *c, TimestampTz since) {
    end_transaction(*c);
    c->longest_lock = Max(c->longest_lock, GetCurrentTimestamp() - since);
}

bool is_under_way(const Conversion &c) {
    return ask(c, "SELECT 1 FROM aegis.conversion WHERE relation = $1 AND field = $2") != NIL;
}

bool has_trigger(Oid table, const char *name) {
    return OidIsValid(get_trigger_oid(table, name, true));
}

void refuse_second(const Conversion &c) {
    Relation relation = table_open(c.table, NoLock);
    Pair pairs[kMostPairs];
    int count = find_pairs(RelationGetDescr(relation), pairs);
    AttrNumber number = get_attnum(c.table, c.column);
    for (int i = 0; i < count; i++)
        if (pairs[i].source == number || pairs[i].twin == number || count == kMostPairs)
            ereport(ERROR,
                    (errcode(ERRCODE_OBJECT_IN_USE),
                     errmsg("column \"%s\" of table \"%s\" is being converted", c.column,
                            get_rel_name(c.table)),
                     errhint("aegis.conversion_progress() tells how; end that conversion first.")));
    table_close(relation, NoLock);
}

// The twin, what ties it to its column, and what keeps it.
void make_twin_column(const Conversion &c) {
    const char *table = qualified(c.table), *column = pstrdup(quote_identifier(c.column));
    char *twin_name = makeObjectName(c.column, "aegis", "twin");
    const char *twin = pstrdup(quote_identifier(twin_name));
    const char *type = format_type_be_qualified(c.seals ? c.order->type_oid
                                                        : find(c.reference)->type->kind->plain);
    StringInfoData command;
    initStringInfo(&command);
    appendStringInfo(&command, "ALTER TABLE %s ADD COLUMN %s %s", table, twin, type);
    if (c.seals)
        appendStringInfo(
            &command,
            ", ADD CONSTRAINT %s CHECK (aegis.is_sealed_for(%s, '%u'::pg_catalog.int8, "
            "tenant_id%s)) NOT VALID",
            quote_identifier(makeObjectName(c.column, "sealed", nullptr)), twin, c.reference,
            c.order->bond.check);
    appendStringInfo(&command, ", ADD CONSTRAINT %s CHECK (aegis.is_twin(%s, %s)) NOT VALID",
                     quote_identifier(makeObjectName(c.column, "twin", nullptr)), column, twin);
    HeapTuple attribute = SearchSysCacheAttName(c.table, c.column);
    if (reinterpret_cast<Form_pg_attribute>(GETSTRUCT(attribute))->attnotnull)
        appendStringInfo(&command, ", ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID",
                         quote_identifier(psprintf("%s_present", twin_name)), twin);
    ReleaseSysCache(attribute);
    run_as_caller(command.data);
    if (c.seals && !has_trigger(c.table, "zzz_aegis_seal"))
        run_as_caller(
            psprintf("CREATE TRIGGER zzz_aegis_seal BEFORE INSERT OR UPDATE ON %s FOR "
                     "EACH ROW EXECUTE FUNCTION aegis.seal_row()",
                     table));
    if (has_trigger(c.table, "zzz_aegis_twin")) return;
    run_as_caller(
        psprintf("CREATE TRIGGER zzz_aegis_twin BEFORE INSERT OR UPDATE ON %s FOR EACH "
                 "ROW EXECUTE FUNCTION aegis.keep_twin()",
                 table));
    run_as_caller(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER zzz_aegis_twin", table));
}

// A constraint that names a field can stand in a table of whoever likes to read it.
void require_registered(const Conversion &c) {
    if (ask(c, "SELECT 1 FROM aegis.field WHERE relation = $1 AND reference = $2") == NIL)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("field \"%s\" is registered for another table than \"%s\"", c.field,
                               get_rel_name(c.table))));
}

void begin(Conversion *c) {
    if (!c->seals) require_registered(*c);
    refuse_findings(*c, true);
    TimestampTz since = lock_exclusively(c);
    refuse_second(*c);
    if (c->seals) {
        check_table(c->order);
        register_field(*c->order);
    }
    NameData column;
    namestrcpy(&column, c->column);
    Oid types[] = {INT8OID, REGCLASSOID, NAMEOID, TEXTOID, TEXTOID};
    Datum values[] = {Int64GetDatum(c->reference), ObjectIdGetDatum(c->table),
                      NameGetDatum(&column), CStringGetTextDatum(c->seals ? "encrypt" : "decrypt"),
                      CStringGetTextDatum(c->seals ? "" : c->reason)};
    run_as_owner(
        "INSERT INTO aegis.conversion (field, relation, column_name, direction, reason) VALUES "
        "($1, $2, $3, $4, NULLIF($5, ''))",
        5, types, values, false);
    make_twin_column(*c);
    ledger::DetailPair pairs[] = {{"column", c->column, 0},
                                  {"direction", c->seals ? "encrypt" : "decrypt", 0},
                                  {"table", get_rel_name(c->table), 0}};
    record("field.conversion_begun", c->field, pairs, 3);
    release(c, since);
}

// The triggers that keep twins, and since when each is as it is: one that was switched off and on
// again may have missed a row. NULL when one is missing.
const char *trigger_mark(const Conversion &c) {
    List *mark = ask(
        c,
        "SELECT CASE WHEN pg_catalog.bool_and(coalesce(t.tgenabled = 'A', false)) THEN "
        "pg_catalog.string_agg(t.oid::text || ' ' || t.xmin::text, ',' ORDER BY t.oid) END "
        "FROM pg_catalog.pg_partition_tree($1) p LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = "
        "p.relid AND t.tgname = 'zzz_aegis_twin' WHERE $2 IS NOT NULL "
        "HAVING pg_catalog.count(*) > 0 UNION ALL SELECT t.oid::text || ' ' || t.xmin::text FROM "
        "pg_catalog.pg_trigger t WHERE t.tgrelid = $1 AND t.tgname = 'zzz_aegis_twin' AND "
        "t.tgenabled = 'A' AND NOT EXISTS (SELECT FROM pg_catalog.pg_partition_tree($1))");
    if (mark == NIL || linitial(mark) == nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("trigger \"zzz_aegis_twin\" of table \"%s\" is missing or disabled",
                        get_rel_name(c.table)),
                 errhint("Run ALTER TABLE ... ENABLE ALWAYS TRIGGER zzz_aegis_twin, or take the "
                         "conversion back with aegis.undo_conversion().")));
    return static_cast<const char *>(linitial(mark));
}

void note(const Conversion &c, const char *state, int64 pages, int64 done, int64 rows, bool anew) {
    Oid types[] = {INT8OID, TEXTOID, INT8OID, INT8OID, INT8OID, BOOLOID};
    Datum values[] = {Int64GetDatum(c.reference), CStringGetTextDatum(state), Int64GetDatum(pages),
                      Int64GetDatum(done),        Int64GetDatum(rows),        BoolGetDatum(anew)};
    run_as_owner(
        "UPDATE aegis.conversion SET state = $2, pages = $3, pages_done = $4, rows_done = "
        "rows_done + $5, updated_at = pg_catalog.clock_timestamp(), pass_at = CASE WHEN $6 THEN "
        "pg_catalog.clock_timestamp() ELSE pass_at END WHERE field = $1",
        6, types, values, false);
}

struct Range {
    Oid relation;
    BlockNumber from, to;
};

int64 pages_of(Oid relation) {
    Relation table = try_relation_open(relation, AccessShareLock);
    if (table == nullptr) return 0;
    int64 pages = table->rd_rel->relkind == RELKIND_RELATION ? RelationGetNumberOfBlocks(table) : 0;
    table_close(table, AccessShareLock);
    return pages;
}

// One transaction for each range. Those with rows that others hold come again.
void convert_rows(Conversion *c) {
    List *ranges = NIL, *left = NIL;
    int64 pages = 0, done = 0, batch = c->batch > 0 ? c->batch : MaxBlockNumber;
    ListCell *cell;
    foreach (cell, find_all_inheritors(c->table, AccessShareLock, nullptr)) {
        Oid relation = lfirst_oid(cell);
        int64 count = pages_of(relation);
        for (int64 from = 0; from < count; from += batch) {
            Range *range = static_cast<Range *>(palloc(sizeof(Range)));
            *range = {relation, static_cast<BlockNumber>(from),
                      static_cast<BlockNumber>(Min(from + batch, count))};
            ranges = lappend(ranges, range);
        }
        pages += count;
    }
    note(*c, "rows", pages, 0, 0, true);
    end_transaction(*c);
    MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "aegis conversion batch",
                                                 ALLOCSET_DEFAULT_SIZES);
    while (ranges != NIL) {
        foreach (cell, ranges) {
            Range *range = static_cast<Range *>(lfirst(cell));
            CHECK_FOR_INTERRUPTS();
            MemoryContext caller = MemoryContextSwitchTo(memory);
            Tally tally{};
            if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(range->relation)))
                tally = convert_pages(range->relation, c->reference, range->from, range->to);
            MemoryContextSwitchTo(caller);
            MemoryContextReset(memory);
            c->converted += tally.twins;
            if (tally.passed_by > 0)
                left = lappend(left, range);
            else
                done += range->to - range->from;
            note(*c, "rows", pages, done, tally.twins, false);
            end_transaction(*c);
        }
        ranges = left;
        left = NIL;
        if (ranges != NIL) rest(kRestMillis);
    }
    MemoryContextDelete(memory);
}

// What proves below all triggers that no row was left out. Writers go on.
void validate(const Conversion &c) {
    note(c, "constraints", 0, 0, 0, false);
    end_transaction(c);
    List *statements =
        ask(c,
            "SELECT pg_catalog.format('ALTER TABLE %s VALIDATE CONSTRAINT %I', $1, k.conname) FROM "
            "aegis.twin_pair($1, $2) p JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND "
            "a.attname = p.twin JOIN pg_catalog.pg_constraint k ON k.conrelid = $1 AND k.contype = "
            "'c' AND NOT k.convalidated AND a.attnum = ANY (k.conkey)");
    ListCell *cell;
    foreach (cell, statements) {
        run_as_caller(static_cast<const char *>(lfirst(cell)));
        end_transaction(c);
    }
}

void build_indexes(const Conversion &c) {
    note(c, "indexes", 0, 0, 0, false);
    end_transaction(c);
    bool beside_writers = c.batch > 0 && get_rel_relkind(c.table) == RELKIND_RELATION;
    run_all(ask(c, "SELECT leftover FROM aegis.twin_indexes($1, $2) WHERE leftover IS NOT NULL"));
    end_transaction(c);
    List *wanted = ask(c, "SELECT index::text FROM aegis.twin_indexes($1, $2) WHERE NOT ready");
    ListCell *cell;
    foreach (cell, wanted) {
        const char *index = static_cast<const char *>(lfirst(cell));
        if (beside_writers) {
            end_transaction(c);
            build_index(c.table, c.reference, atooid(index));
        } else {
            run_all(ask(c, psprintf("SELECT pg_catalog.replace(build, ' CONCURRENTLY ', ' ') FROM "
                                    "aegis.twin_indexes($1, $2) WHERE index = %s",
                                    index)));
        }
        end_transaction(c);
        List *name = ask(c, psprintf("SELECT name FROM aegis.twin_indexes($1, $2) WHERE NOT ready "
                                     "AND index = %s",
                                     index));
        if (name != NIL)
            ereport(ERROR,
                    (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                     errmsg("index \"%s\" could not be built for the converted values",
                            static_cast<const char *>(linitial(name))),
                     errdetail("The server log says why. For a unique index: values that differ in "
                               "letter case or blanks may be the same once sealed."),
                     errhint("Mend the values and make the same call again.")));
    }
}

// A snapshot from before sees versions of rows that have no twin, and would find NULL under the
// name of the column. Whoever has looked at the table keeps the swap out by a lock; this waits for
// those who have not yet.
void wait_for_snapshots(const Conversion &c) {
    if (c.batch == 0) return;
    note(c, "snapshots", 0, 0, 0, false);
    end_transaction(c);
    int count = 0;
    VirtualTransactionId *holders =
        GetCurrentVirtualXIDs(ReadNextTransactionId(), true, false,
                              PROC_IS_AUTOVACUUM | PROC_IN_VACUUM | PROC_IN_SAFE_IC, &count);
    for (int i = 0; i < count; i++) VirtualXactLock(holders[i], true);
    pfree(holders);
}

// Returns false when something changed meanwhile and has to be done first.
bool swap(Conversion *c, const char *mark) {
    note(*c, "swap", 0, 0, 0, false);
    end_transaction(*c);
    TimestampTz since = lock_exclusively(c);
    refuse_findings(*c, false);
    bool ready =
        strcmp(trigger_mark(*c), mark) == 0 &&
        ask(*c, "SELECT 1 FROM aegis.twin_indexes($1, $2) WHERE NOT ready") == NIL &&
        ask(*c,
            "SELECT 1 FROM aegis.twin_pair($1, $2) p JOIN pg_catalog.pg_attribute a ON a.attrelid "
            "= $1 AND a.attname = p.twin JOIN pg_catalog.pg_constraint k ON k.conrelid = $1 AND "
            "k.contype = 'c' AND NOT k.convalidated AND a.attnum = ANY (k.conkey)") == NIL;
    if (!ready) {
        release(c, since);
        return false;
    }
    // That an index takes the name of its constraint is what is wanted.
    (void)set_config_option("client_min_messages", "warning", PGC_USERSET, PGC_S_SESSION,
                            GUC_ACTION_LOCAL, true, 0, false);
    run_all(ask(*c, "SELECT * FROM aegis.twin_swap($1, $2)"));
    if (c->seals) {
        ask(*c, "DELETE FROM aegis.conversion WHERE relation = $1 AND field = $2");
        record_registration(*c->order);
    } else {
        forget_field(*c);
        ledger::DetailPair pairs[] = {{"column", c->column, 0},
                                      {"reason", c->reason, 0},
                                      {"table", get_rel_name(c->table), 0}};
        record("field.decrypted", c->field, pairs, 3);
    }
    release(c, since);
    return true;
}

void go_on(Conversion *c) {
    for (int round = 0; round < kMostRounds; round++) {
        const char *mark = trigger_mark(*c);
        convert_rows(c);
        validate(*c);
        build_indexes(*c);
        wait_for_snapshots(*c);
        if (swap(c, mark)) return;
    }
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("table \"%s\" is changed again and again while its column is converted",
                    get_rel_name(c->table)),
             errhint("Make the same call again when its indexes and triggers stay as they are.")));
}

}  // namespace

List *texts() {
    List *found = NIL;
    for (uint64 i = 0; SPI_tuptable != nullptr && i < SPI_processed; i++)
        found = lappend(found, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
    return found;
}

List *ask(const Conversion &c, const char *query) {
    Oid types[] = {REGCLASSOID, INT8OID};
    Datum values[] = {ObjectIdGetDatum(c.table), Int64GetDatum(c.reference)};
    run_as_owner(query, 2, types, values, false);
    return texts();
}

void run_all(List *statements) {
    ListCell *cell;
    foreach (cell, statements) run_as_caller(static_cast<const char *>(lfirst(cell)));
}

void forget_field(const Conversion &c) {
    ask(c, "DELETE FROM aegis.field WHERE reference = $2 AND relation = $1");
}

LOCKTAG tag_of(uint32_t reference) {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, reference, 0, 0xAF);
    return tag;
}

void run(Conversion *c) {
    LOCKTAG tag = tag_of(c->reference);
    if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                        errmsg("field \"%s\" is being converted by another session", c->field),
                        errhint("aegis.conversion_progress() tells how far it is.")));
    PG_TRY();
    {
        if (!is_under_way(*c)) begin(c);
        go_on(c);
    }
    PG_FINALLY();
    { LockRelease(&tag, ExclusiveLock, true); }
    PG_END_TRY();
}

}  // namespace aegis::field::convert
