// SPDX-License-Identifier: Apache-2.0
// Who may see a field: by rank, and at most by the role of the session.
#include "field_register.hpp"

#include "pg/function.hpp"

namespace aegis::field {

namespace {

uint32_t registered(const char *name) {
    uint32_t reference = reference_of(name);
    const Field *found = find(reference);
    if (found == nullptr || strcmp(found->name, name) != 0)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("field \"%s\" is not registered", name)));
    return reference;
}

// A field of Aegis's own that its script shows to nobody holds a credential: it opens for the code
// that checks it, and for no session.
void refuse_credential(uint32_t reference, const char *name, const char *level) {
    bool by_aegis =
        creating_extension && CurrentExtensionObject == get_extension_oid("aegis", true);
    if (by_aegis || strcmp(level, "none") == 0) return;
    Oid types[] = {INT8OID};
    Datum values[] = {Int64GetDatum(reference)};
    if (run_as_owner("SELECT FROM aegis.field f WHERE f.reference = $1 AND EXISTS (SELECT FROM "
                     "pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid "
                     "WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = "
                     "f.relation AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass "
                     "AND d.deptype = 'e' AND e.extname = 'aegis') AND NOT EXISTS (SELECT FROM "
                     "aegis.reveal_policy p WHERE p.field = f.reference AND p.by_extension AND "
                     "p.level <> 'none')",
                     1, types, values, true) > 0)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("field \"%s\" may be revealed to nobody", name),
                        errdetail("It holds a credential that Aegis alone checks."),
                        errhint("Have the person set up a new one instead.")));
}

void set_bound(uint32_t reference, Oid role, const char *level) {
    Oid types[] = {INT8OID, OIDOID, TEXTOID};
    Datum values[] = {Int64GetDatum(reference), ObjectIdGetDatum(role), CStringGetTextDatum(level)};
    if (strcmp(level, "full") == 0)
        run_as_owner("DELETE FROM aegis.reveal_bound WHERE field = $1 AND role = $2", 2, types,
                     values, false);
    else
        run_as_owner(
            "INSERT INTO aegis.reveal_bound (field, role, level) VALUES ($1, "
            "$2::pg_catalog.regrole, $3) ON CONFLICT (field, role) DO UPDATE SET level = "
            "EXCLUDED.level",
            3, types, values, false);
}

}  // namespace

void check_level(const char *level) {
    for (const char *known : {"none", "masked", "full"})
        if (strcmp(level, known) == 0) return;
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid reveal level \"%s\"", level),
             errhint("Valid levels are none, masked and full.")));
}

void set_policy(uint32_t reference, int rank, const char *level, bool by_extension) {
    Oid types[] = {INT8OID, INT2OID, TEXTOID, BOOLOID};
    Datum values[] = {Int64GetDatum(reference), Int16GetDatum(rank), CStringGetTextDatum(level),
                      BoolGetDatum(by_extension)};
    run_as_owner(
        "INSERT INTO aegis.reveal_policy (field, rank, level, by_extension) VALUES ($1, $2, $3, "
        "$4) "
        "ON CONFLICT (field, rank, by_extension) DO UPDATE SET level = EXCLUDED.level",
        4, types, values, false);
}

}  // namespace aegis::field

AEGIS_FUNCTION(aegis_set_reveal_policy) {
    using namespace aegis::field;
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    int rank = PG_GETARG_INT16(1);
    char *level = text_to_cstring(PG_GETARG_TEXT_PP(2));
    uint32_t reference = registered(name);
    if (rank < 0 || rank >= kRanks)
        ereport(
            ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid rank %d", rank),
             errhint(
                 "Ranks are 1 user, 2 team lead, 3 manager, 4 admin; 0 stands for operators.")));
    check_level(level);
    SPI_connect();
    refuse_credential(reference, name, level);
    set_policy(reference, rank, level, creating_extension);
    SPI_finish();
    aegis::ledger::DetailPair pairs[] = {{"level", level, 0}, {"rank", nullptr, rank}};
    record("field.policy_changed", name, pairs, 2);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_set_reveal_bound) {
    using namespace aegis::field;
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    Oid role = PG_GETARG_OID(1);
    char *level = text_to_cstring(PG_GETARG_TEXT_PP(2));
    uint32_t reference = registered(name);
    check_level(level);
    // A bound of a role that is gone can still be lifted.
    const char *role_name = GetUserNameFromId(role, true);
    if (role_name == nullptr && strcmp(level, "full") != 0)
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("role with OID %u does not exist", role),
                 errhint("Write a rank as 1::smallint and a role as 'name'::regrole.")));
    // A role belongs to the cluster: what a script knows of it does not hold where it is restored.
    if (creating_extension)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("the script of an extension cannot bound a database role"),
                        errhint("Call aegis.set_reveal_policy() when it is installed.")));
    SPI_connect();
    set_bound(reference, role, level);
    SPI_finish();
    if (role_name == nullptr) role_name = psprintf("%u", role);
    aegis::ledger::DetailPair pairs[] = {{"level", level, 0}, {"role", role_name, 0}};
    record("field.policy_changed", name, pairs, 2);
    PG_RETURN_VOID();
}
