// SPDX-License-Identifier: Apache-2.0
// aegis.create_sealed_type(): what a type of one's own may be called. What it is made of,
// sql/sealed.sql says.
#include "sealed.hpp"

#include "label.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"

namespace aegis::sealed {

namespace {

// Names of functions are the type's with an ending, of which "_hash_extended" is the longest.
constexpr size_t kLongestName = NAMEDATALEN - 1 - 14;

bool is_simple(const char *name) {
    return (*name == '_' || (*name >= 'a' && *name <= 'z')) && strlen(name) <= kLongestName &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

Oid type_in(Oid schema, const char *name) {
    return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name),
                           ObjectIdGetDatum(schema));
}

void check_name(const char *name) {
    if (!is_simple(name))
        ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("invalid type name \"%s\"", name),
                        errhint("Use at most %zu of a-z, 0-9 and \"_\", and no digit at first.",
                                kLongestName)));
    // Found first whatever the search_path, it would be taken for the one that was meant.
    if (OidIsValid(type_in(PG_CATALOG_NAMESPACE, name)))
        ereport(ERROR,
                (errcode(ERRCODE_RESERVED_NAME), errmsg("type name \"%s\" is PostgreSQL's", name),
                 errhint("Choose another name.")));
}

void check_schema(Oid schema) {
    const char *name = isTempNamespace(schema) ? "pg_temp" : get_namespace_name(schema);
    if (strncmp(name, "pg_", 3) == 0 || strcmp(name, "information_schema") == 0 ||
        strcmp(name, "aegis") == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_SCHEMA_NAME),
                        errmsg("a sealed type cannot be made in schema \"%s\"", name),
                        errhint("Name a schema of your own.")));
}

// The schema in which a name, qualified or not, is made for the caller.
Oid schema_for(const char *name, char **bare) {
    Oid schema = QualifiedNameGetCreationNamespace(stringToQualifiedNameList(name), bare);
    check_schema(schema);
    check_name(*bare);
    if (OidIsValid(type_in(schema, *bare)))
        ereport(ERROR,
                (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("type \"%s\" already exists", *bare)));
    return schema;
}

const char *text_or_null(FunctionCallInfo fcinfo, int argument) {
    return PG_ARGISNULL(argument) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

Datum run(const char *command, int count, Oid *types, Datum *values) {
    bool is_null = true;
    if (SPI_execute_with_args(command, count, types, values, nullptr, false, 0) < 0 ||
        SPI_processed != 1)
        elog(ERROR, "could not make a sealed type");
    return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
}

void record_creation(Oid type, const char *normaliser) {
    uint8_t buffer[128];
    ledger::DetailPair pairs[] = {{"mask", core::mask_word(mask_of(type)), 0},
                                  {"normaliser", normaliser, 0}};
    ledger::Event event{"field.type_created"};
    event.target_kind = "type";
    event.target_id = format_type_be_qualified(type);
    event.detail = ledger::encode_detail(pairs, normaliser != nullptr ? 2 : 1, buffer);
    ledger::append(event);
}

}  // namespace

}  // namespace aegis::sealed

AEGIS_FUNCTION(aegis_create_sealed_type) {
    using namespace aegis;
    if (!superuser())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("must be superuser to create a sealed type")));
    if (PG_ARGISNULL(0))
        ereport(ERROR,
                (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a sealed type needs a name")));
    const char *normaliser = sealed::text_or_null(fcinfo, 1);
    const char *mask = sealed::text_or_null(fcinfo, 2);
    const sealed::Kind *kind = sealed::find_kind(normaliser);
    core::Mask known;
    if (kind == nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("invalid normaliser \"%s\"", normaliser),
                        errhint("Valid normalisers are exact, keyword, caseless, email, phone and "
                                "alnum; NULL makes a type that cannot be searched.")));
    if (mask != nullptr && !core::find_mask(mask, &known))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid mask \"%s\"", mask),
                 errhint("Valid masks are %s.", sealed::kMaskWords)));
    char *name = nullptr;
    Oid schema = sealed::schema_for(text_to_cstring(PG_GETARG_TEXT_PP(0)), &name);
    if (kind->searchable()) sealed::check_reference(name, sealed::reference_of(name), InvalidOid);

    SPI_connect();
    NameData schema_name, type_name;
    namestrcpy(&schema_name, get_namespace_name(schema));
    namestrcpy(&type_name, name);
    Oid types[] = {NAMEOID, NAMEOID, TEXTOID, TEXTOID};
    Datum values[] = {
        NameGetDatum(&schema_name), NameGetDatum(&type_name), CStringGetTextDatum(kind->symbol),
        CStringGetTextDatum(
            kind->searchable()
                ? psprintf("text that is sealed and can be found by equality, %s", normaliser)
                : "text that is sealed; no operators")};
    Oid type = DatumGetObjectId(sealed::run(
        "SELECT aegis.define_sealed_type($1, $2, $3, $4)::pg_catalog.oid", 4, types, values));
    if (mask != nullptr) {
        ObjectAddress object;
        ObjectAddressSet(object, TypeRelationId, type);
        SetSecurityLabel(&object, label::kProvider, psprintf("mask=%s", mask));
    }
    Oid grant_types[] = {OIDOID};
    Datum grant_values[] = {ObjectIdGetDatum(type)};
    sealed::run("SELECT aegis.grant_sealed_type($1::pg_catalog.regtype)", 1, grant_types,
                grant_values);
    sealed::record_creation(type, normaliser);
    SPI_finish();
    PG_RETURN_OID(type);
}
