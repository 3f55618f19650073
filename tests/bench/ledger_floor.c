// SPDX-License-Identifier: Apache-2.0
// The floor under the area "ledger": what PostgreSQL takes for one more row and one more index entry in the same transaction, put
// there as directly as a C trigger can. The row is as long as an entry of Aegis, and all of it is zeroes: nothing is drawn from a
// sequence, encoded, hashed, sealed or checked, and nobody could read it.
//
//   CREATE TRIGGER floor AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION ledger_floor('KEPT', 'INSERT_BYTES', 'UPDATE_BYTES')
//
// KEPT is a table (epoch int, xid xid8, tenant_id uuid, body bytea) with one index, on (epoch, xid).
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/uuid.h"
#include "utils/xid8.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(ledger_floor);

enum { kLeastBytes = 127, kMostBytes = 2000 };  // with a long header, and not out of line

// Found once by each session, as nobody changes them meanwhile.
static Oid kept = InvalidOid, kept_index = InvalidOid;
static IndexInfo *how = NULL;

static void find(const char *name) {
    kept = RangeVarGetRelid(makeRangeVar(NULL, pstrdup(name), -1), RowExclusiveLock, false);
    Relation table = table_open(kept, NoLock);
    kept_index = linitial_oid(RelationGetIndexList(table));
    Relation index = index_open(kept_index, AccessShareLock);
    MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
    how = BuildIndexInfo(index);
    MemoryContextSwitchTo(caller);
    index_close(index, AccessShareLock);
    table_close(table, NoLock);
}

Datum ledger_floor(PG_FUNCTION_ARGS) {
    static const pg_uuid_t tenant;
    static struct {
        int32 length;
        char bytes[kMostBytes];
    } body;
    TriggerData *data = (TriggerData *)fcinfo->context;
    char **arguments = data->tg_trigger->tgargs;
    int bytes = pg_strtoint32(arguments[TRIGGER_FIRED_BY_INSERT(data->tg_event) ? 1 : 2]);
    if (bytes < kLeastBytes || bytes > kMostBytes) elog(ERROR, "%d bytes: from %d to %d", bytes, kLeastBytes, kMostBytes);
    if (!OidIsValid(kept)) find(arguments[0]);
    SET_VARSIZE(&body, VARHDRSZ + bytes);

    Relation table = table_open(kept, RowExclusiveLock), index = index_open(kept_index, NoLock);
    Datum values[] = {Int32GetDatum(1), FullTransactionIdGetDatum(GetTopFullTransactionId()), UUIDPGetDatum(&tenant), PointerGetDatum(&body)};
    bool nulls[] = {false, false, false, false};
    HeapTuple row = heap_form_tuple(RelationGetDescr(table), values, nulls);
    simple_heap_insert(table, row);
    index_insert(index, values, nulls, &row->t_self, table, UNIQUE_CHECK_NO, false, how);
    index_close(index, NoLock);
    table_close(table, NoLock);
    return PointerGetDatum(NULL);
}
