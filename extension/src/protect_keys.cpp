// SPDX-License-Identifier: Apache-2.0
// Runs the statements that let keys lead with the tenant, as the caller and in one transaction.
#include "protect.hpp"

#include "pg/function.hpp"

using namespace aegis;

namespace {

struct Step {
    Oid relation;
    const char *statement;
};

}  // namespace

AEGIS_FUNCTION(aegis_convert_keys) {
    Oid target = PG_GETARG_OID(0);
    bool execute = PG_GETARG_BOOL(1);
    protect::require_owned(target);
    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    ReturnSetInfo *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    SPI_connect();
    Oid types[] = {REGCLASSOID};
    Datum values[] = {ObjectIdGetDatum(target)};
    SPI_execute_with_args("SELECT relation, statement FROM aegis.key_conversion($1)", 1, types,
                          values, nullptr, false, 0);
    int count = static_cast<int>(SPI_processed);
    Step *steps = static_cast<Step *>(palloc(sizeof(Step) * (count + 1)));
    for (int i = 0; i < count; i++) {
        bool null;
        HeapTuple row = SPI_tuptable->vals[i];
        steps[i].relation = DatumGetObjectId(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &null));
        steps[i].statement = SPI_getvalue(row, SPI_tuptable->tupdesc, 2);
        Datum column = CStringGetTextDatum(steps[i].statement);
        null = false;
        tuplestore_putvalues(result->setResult, result->setDesc, &column, &null);
    }
    List *changed = NIL;
    for (int i = 0; execute && i < count; i++) {
        if (protect::begins_with(steps[i].statement, "UPDATE "))
            protect::query(steps[i].statement);
        else
            protect::run(steps[i].statement);
        changed = list_append_unique_oid(changed, steps[i].relation);
    }
    ListCell *cell;
    foreach (cell, changed) protect::record("table.keys_converted", lfirst_oid(cell));
    SPI_finish();  // what it allocated goes with it
    PG_RETURN_VOID();
}
