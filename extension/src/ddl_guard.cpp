// SPDX-License-Identifier: Apache-2.0
// What the guard of DDL does below SQL: an error that is remembered though it rolls everything
// back, and repairs with the rights of whom the table belongs to. docs/ddl_guard.md.
#include "ddl_guard.hpp"

#include "charge.hpp"
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"

using namespace aegis;

ddl_guard::detail::Own aegis::ddl_guard::detail::own = {};

// pg_upgrade makes everything anew before it brings the tables that entries would go to.
AEGIS_FUNCTION(aegis_is_own_ddl) {
    PG_RETURN_BOOL(IsBinaryUpgrade || ddl_guard::is_own() || ledger_tables::is_own_change());
}

AEGIS_FUNCTION(aegis_record_guard) {
    char *type = text_to_cstring(PG_GETARG_TEXT_PP(0));
    char *kind = text_to_cstring(PG_GETARG_TEXT_PP(1));
    char *target = text_to_cstring(PG_GETARG_TEXT_PP(2));
    ledger::DetailPair pair = {text_to_cstring(PG_GETARG_TEXT_PP(3)),
                               text_to_cstring(PG_GETARG_TEXT_PP(4)), 0};
    uint8_t detail[1024];
    ledger::Event event{type};
    event.target_kind = kind;
    event.target_id = target;
    event.detail = ledger::encode_detail(&pair, 1, detail);
    ledger::append(event);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_refuse_ddl) {
    static const pg_uuid_t nil = {};
    char *schema = text_to_cstring(PG_GETARG_TEXT_PP(0));
    char *object = text_to_cstring(PG_GETARG_TEXT_PP(1));
    char *finding = text_to_cstring(PG_GETARG_TEXT_PP(2));
    char *problems = text_to_cstring(PG_GETARG_TEXT_PP(3));
    char *fixes = text_to_cstring(PG_GETARG_TEXT_PP(4));
    charge::open({charge::Kind::denial, "ddl.refused", nil, nil, 0, object, finding});
    ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_PROTECTED),
                    errmsg("the transaction would leave a hole in schema \"%s\"", schema),
                    errdetail("%s", problems), *fixes != '\0' ? errhint("%s", fixes) : 0));
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_run_as_table_owner) {
    Oid relation = PG_GETARG_OID(0);
    char *statement = text_to_cstring(PG_GETARG_TEXT_PP(1));
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(tuple))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table does not exist")));
    Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    Oid user;
    int security;
    GetUserIdAndSecContext(&user, &security);
    // Restricted: what the owner wrote must not stay behind in the session of somebody else.
    SetUserIdAndSecContext(owner,
                           security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
    PG_TRY();
    {
        ddl_guard::own_statements([&] {
            if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(statement, false, 0) < 0)
                ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not run a repair")));
            SPI_finish();
        });
    }
    PG_FINALLY();
    { SetUserIdAndSecContext(user, security); }
    PG_END_TRY();
    PG_RETURN_VOID();
}
