// SPDX-License-Identifier: Apache-2.0
// Functions that take rows away below plans, triggers and catalogs: those of pg_surgery. The hook
// sees which function is about to be called and not with what, so they are refused for every table.
#include "charge.hpp"
#include "guc.hpp"
#include "ledger_guard.hpp"
#include "pg/function_memory.hpp"
#include "pg/installed.hpp"
#include "pg/report.hpp"

namespace aegis::ledger_guard {

namespace {

// By the symbol in the library: a function of another name may call it too.
bool find_surgery(Oid function) {
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple)) return false;  // the executor reports it
    bool is_null, found = false;
    Datum symbol = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);
    if (reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->prolang == ClanguageId && !is_null) {
        char *name = TextDatumGetCString(symbol);
        found = strncmp(name, "heap_force_", strlen("heap_force_")) == 0;
        pfree(name);
    }
    ReleaseSysCache(tuple);
    return found;
}

pg::FunctionMemory<bool> surgery("aegis surgery functions", find_surgery);

}  // namespace

bool is_surgery(Oid function) {
    return function >= FirstNormalObjectId && surgery.of(function);
}

void check_function(Oid function) {
    if (!guc::ledger_guard || !is_surgery(function)) return;
    if (!pg::is_installed()) return;  // there is no ledger
    const char *name = get_func_name(function);
    charge::note_refusal("ledger", name);
    ereport(ERROR,
            (errcode(AEGIS_ERRCODE_LEDGER_APPEND_ONLY), errmsg("ledger is append-only"),
             errdetail("Function \"%s\" changes rows below everything that guards them.", name),
             errhint("In an emergency it can be called while aegis.ledger_guard is off: "
                     "docs/ledger.md.")));
}

void define() {
    surgery.define();
}

}  // namespace aegis::ledger_guard
