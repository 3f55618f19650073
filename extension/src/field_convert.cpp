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

void rest(long millis) {
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, millis,
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
}

void lock_all(void *argument) {
    const Conversion *c = static_cast<const Conversion *>(argument);
    if (LockTimeout == 0)
        (void)set_config_option("lock_timeout", psprintf("%d", kLockMillis), PGC_USERSET,
                                PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
    (void)find_all_inheritors(c->table, AccessExclusiveLock, nullptr);
}

bool is_under_way(const Conversion &c) {
    return ask(c, "SELECT 1 FROM aegis.conversion WHERE relation = $1 AND field = $2") != NIL;
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
    // Those of indexes that were dropped meanwhile.
    run_all(ask(c,
                "SELECT pg_catalog.format('DROP INDEX %I.%I', n.nspname, t.relname) FROM "
                "pg_catalog.pg_index i JOIN pg_catalog.pg_class t ON t.oid = i.indexrelid JOIN "
                "pg_catalog.pg_namespace n ON n.oid = t.relnamespace WHERE i.indrelid = $1 AND $2 "
                "IS NOT NULL AND t.relname ~ '^aegis_twin_[0-9]+$' AND NOT EXISTS (SELECT FROM "
                "pg_catalog.pg_index o WHERE o.indrelid = $1 AND o.indexrelid::text = "
                "pg_catalog.substr(t.relname, 12)) AND NOT EXISTS (SELECT FROM "
                "pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid)"));
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

void end_transaction(const Conversion &c) {
    if (c.batch > 0) SPI_commit();
}

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
