// SPDX-License-Identifier: Apache-2.0
#include "field_register.hpp"

#include "key_subject.hpp"
#include "pg/function.hpp"

namespace aegis::field {

namespace {

[[noreturn]] void refuse_generated(Oid table, const char *column) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
             errmsg("column \"%s\" of table \"%s\" is generated", column, get_rel_name(table)),
             errdetail("Generated columns are computed after the value would be sealed.")));
    pg_unreachable();
}

void check_subject(Oid table, const char *column, const char *subject) {
    AttrNumber number = get_attnum(table, subject);
    if (number <= 0)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                        errmsg("column \"%s\" of table \"%s\" does not exist", subject,
                               get_rel_name(table))));
    Oid type = get_atttype(table, number);
    if (strcmp(column, subject) == 0 || !key::can_name_subject(type))
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("column \"%s\" of table \"%s\" cannot name a data subject", subject,
                               get_rel_name(table)),
                        errdetail("It has type %s.", format_type_be(type)),
                        errhint("Use a column of type uuid, bigint, integer or text.")));
    if (get_attgenerated(table, number) != '\0') refuse_generated(table, subject);
}

void append_key(Oid table, const char *column, StringInfo names, StringInfo types) {
    Relation relation = relation_open(table, AccessShareLock);
    list_free(RelationGetIndexList(relation));
    Oid index = relation->rd_pkindex;
    relation_close(relation, NoLock);
    if (!OidIsValid(index))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
                 errmsg("table \"%s\" has no primary key", get_rel_name(table)),
                 errdetail("A value that is bound to its row is bound to the row's primary key."),
                 errhint("Add one that is not deferrable.")));
    relation = index_open(index, AccessShareLock);
    for (int i = 0; i < relation->rd_index->indnkeyatts; i++) {
        AttrNumber number = relation->rd_index->indkey.values[i];
        const char *name = get_attname(table, number, false);
        Oid type = get_atttype(table, number);
        if (strcmp(name, column) == 0 || !can_bind(type))
            ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                            errmsg("a value cannot be bound to key column \"%s\" of table \"%s\"",
                                   name, get_rel_name(table)),
                            errdetail("It has type %s.", format_type_be(type)),
                            errhint("Use uuid, integers, dates, timestamps, text, bytea or "
                                    "boolean.")));
        if (get_attgenerated(table, number) != '\0') refuse_generated(table, name);
        appendStringInfo(names, "%s%s", i > 0 ? ", " : "", quote_identifier(name));
        appendStringInfo(types, "%s\"%s\"", i > 0 ? "," : "", format_type_be(type));
    }
    index_close(relation, NoLock);
}

}  // namespace

BondTerms bond_terms(Oid table, const char *column, const char *subject, bool row_bound) {
    BondTerms terms = {"", "", subject, nullptr};
    StringInfoData names, types;
    initStringInfo(&names);
    initStringInfo(&types);
    if (subject != nullptr) check_subject(table, column, subject);
    if (row_bound) {
        append_key(table, column, &names, &types);
        terms.key_types = psprintf("{%s}", types.data);
    }
    const char *name = subject != nullptr ? pstrdup(quote_identifier(subject)) : "";
    const char *key = row_bound ? psprintf("ROW(%s)", names.data) : "NULL::pg_catalog.record";
    terms.check =
        psprintf("%s%s%s%s", subject != nullptr ? ", " : "", subject != nullptr ? name : "",
                 row_bound ? ", " : "", row_bound ? key : "");
    // A null of no type stands for no subject at all, which a null of the column is not.
    if (subject != nullptr || row_bound)
        terms.seal = psprintf(", %s, %s", subject != nullptr ? name : "NULL", key);
    return terms;
}

}  // namespace aegis::field

using namespace aegis;

// (unsealed value, field, tenant, subject, ROW(key)) → envelope. The parts of the key are what they
// are in the row: an anonymous record keeps their types.
AEGIS_FUNCTION(aegis_seal_bound) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2)) PG_RETURN_NULL();
    const field::Field *found = field::find(static_cast<uint32_t>(PG_GETARG_INT64(1)));
    if (found == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("field is not registered")));
    field::Bond bond;
    Oid subject_type = get_fn_expr_argtype(fcinfo->flinfo, 3);
    if (subject_type != UNKNOWNOID) {
        if (PG_ARGISNULL(3))
            ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
                            errmsg("a row that has a value of field \"%s\" names no data subject",
                                   found->name)));
        bond.subject = key::encode_subject(subject_type, PG_GETARG_DATUM(3));
    }
    if (!PG_ARGISNULL(4)) field::read_key(PG_GETARG_DATUM(4), &bond);
    PG_RETURN_POINTER(field::seal_unsealed(sealed::type_of(fcinfo), PG_GETARG_DATUM(0), *found,
                                           *PG_GETARG_UUID_P(2), bond));
}
