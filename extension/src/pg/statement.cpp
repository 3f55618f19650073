// SPDX-License-Identifier: Apache-2.0
#include "pg/statement.hpp"

#include "role.hpp"

namespace aegis::pg {

namespace {

uint64 run_plan(Statement &statement, const Datum *values, const char *nulls, bool read_only) {
    if (statement.plan == nullptr) {
        SPIPlanPtr plan =
            SPI_prepare(statement.text, statement.argument_count, statement.arguments);
        if (plan == nullptr || SPI_keepplan(plan) != 0)
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                            errmsg("could not prepare a statement of aegis")));
        statement.plan = plan;
    }
    int result = SPI_execute_plan(statement.plan, const_cast<Datum *>(values), nulls, read_only, 0);
    if (result < 0)
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR),
                 errmsg("could not run a statement of aegis: %s", SPI_result_code_string(result))));
    return SPI_processed;
}

}  // namespace

uint64 execute(Statement &statement, const Datum *values, const char *nulls) {
    return run_plan(statement, values, nulls, false);
}

uint64 read(Statement &statement, const Datum *values, const char *nulls) {
    return run_plan(statement, values, nulls, true);
}

Datum column(uint64 row, int number, bool *is_null) {
    return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, is_null);
}

Identity become(Oid role) {
    Identity before;
    GetUserIdAndSecContext(&before.user, &before.security);
    SetUserIdAndSecContext(role, before.security | SECURITY_LOCAL_USERID_CHANGE);
    return before;
}

void resume(const Identity &identity) {
    SetUserIdAndSecContext(identity.user, identity.security);
}

int pin_search_path() {
    int level = NewGUCNestLevel();
    (void)set_config_option("search_path", kPinnedPath, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                            true, 0, false);
    return level;
}

Identity enter() {
    Identity before = become(role::owner());
    if (SPI_connect() != SPI_OK_CONNECT)
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not open an SPI connection")));
    return before;
}

void leave(const Identity &identity) {
    SPI_finish();
    resume(identity);
}

}  // namespace aegis::pg
