// SPDX-License-Identifier: Apache-2.0
#include "subject.hpp"

#include "core/encoding.hpp"
#include "key_cache.hpp"
#include "key_subject.hpp"
#include "ledger.hpp"
#include "operator.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "tenant.hpp"

namespace aegis::subject {

namespace {

pg::Statement destroy_key = {
    "UPDATE aegis.subject_key SET wrapped = NULL WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND "
    "name OPERATOR(pg_catalog.=) $2 AND generation OPERATOR(pg_catalog.=) $3 AND wrapped IS NOT "
    "NULL",
    3,
    {UUIDOID, BYTEAOID, INT4OID},
    nullptr};

// A key that a restore did not bring along must not be made anew by the next write either.
pg::Statement put_tombstone = {
    "INSERT INTO aegis.subject_key (tenant_id, name, generation, epoch) VALUES ($1, $2, $3, 1) ON "
    "CONFLICT (tenant_id, name, generation) DO UPDATE SET wrapped = NULL",
    3,
    {UUIDOID, BYTEAOID, INT4OID},
    nullptr};

pg::Statement note_shred = {
    "INSERT INTO aegis.subject_shred (tenant_id, name, generation, reason) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (tenant_id, name, generation) DO UPDATE SET files_clean_at = NULL, reapplied_at = "
    "pg_catalog.now()",
    4,
    {UUIDOID, BYTEAOID, INT4OID, TEXTOID},
    nullptr};

// What was answered to whoever repeats a request may speak of them.
pg::Statement forget_answers = {
    "UPDATE aegis.idempotency_key k SET answer = NULL WHERE k.tenant_id OPERATOR(pg_catalog.=) $1 "
    "AND k.answer IS NOT NULL",
    1,
    {UUIDOID},
    nullptr};

// The job looks at all erased people of the tenant when it begins: one that has not begun will do.
pg::Statement find_job = {
    "SELECT j.id FROM aegis.job j WHERE j.kind OPERATOR(pg_catalog.=) 'erase_subjects' AND "
    "j.tenant_id OPERATOR(pg_catalog.=) $1 AND j.state OPERATOR(pg_catalog.=) 'queued' ORDER BY "
    "j.id LIMIT 1 FOR NO KEY UPDATE",
    1,
    {UUIDOID},
    nullptr};

pg::Statement find_unclean = {
    "SELECT FROM aegis.subject_shred s WHERE s.tenant_id OPERATOR(pg_catalog.=) $1 AND s.name "
    "OPERATOR(pg_catalog.=) $2 AND s.generation OPERATOR(pg_catalog.=) $3 AND s.files_clean_at IS "
    "NULL",
    3,
    {UUIDOID, BYTEAOID, INT4OID},
    nullptr};

struct Person {
    pg_uuid_t tenant;
    uint8_t name[core::kSubjectNameBytes];
    const char *hex;
};

const char *hex_of(core::ByteView name) {
    char *hex = static_cast<char *>(palloc0(2 * name.size + 1));
    core::to_hex(name, hex);
    return hex;
}

// The arguments (tenant, subject) of a function.
Person person_argument(FunctionCallInfo fcinfo) {
    Person person;
    person.tenant = tenant::id_argument(fcinfo);
    if (PG_ARGISNULL(1))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("subject is missing")));
    key::subject_name(
        person.tenant,
        key::encode_subject(get_fn_expr_argtype(fcinfo->flinfo, 1), PG_GETARG_DATUM(1)),
        person.name);
    person.hex = hex_of(person.name);
    return person;
}

void values_of(const Person &person, uint32_t generation, Datum values[3]) {
    values[0] = UUIDPGetDatum(&person.tenant);
    values[1] = PointerGetDatum(pg::copy_varlena(person.name));
    values[2] = Int32GetDatum(static_cast<int32>(generation));
}

void record(const char *type, const Person &person, uint32_t generation, const char *reason) {
    const ledger::DetailPair pairs[] = {{"reason", reason, 0}, {"generation", nullptr, generation}};
    uint8_t buffer[256];
    ledger::Event event{type};
    event.tenant = &person.tenant;
    event.target_kind = "subject";
    event.target_id = person.hex;
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
}

int64 queue_job(const pg_uuid_t &tenant) {
    Datum key[] = {UUIDPGetDatum(&tenant)};
    bool is_null;
    if (pg::execute(find_job, key) > 0) return DatumGetInt64(pg::column(0, 1, &is_null));
    return job::create("erase_subjects", &tenant);
}

void destroy(const Person &person, uint32_t generation, pg::Statement &how, const char *reason) {
    // Every session drops the key before it uses the next one, and keeps none while this commits.
    key_cache::announce_change();
    Datum values[4];
    values_of(person, generation, values);
    if (pg::execute(how, values) == 0)
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("the key of the data subject was changed by another transaction"),
                        errhint("Try again.")));
    values[3] = CStringGetTextDatum(reason);
    pg::execute(note_shred, values);
    pg::execute(forget_answers, values);
    record("key.subject_destroyed", person, generation, reason);
}

}  // namespace

}  // namespace aegis::subject

using namespace aegis;

AEGIS_FUNCTION(aegis_subject_name) {
    PG_RETURN_TEXT_P(cstring_to_text(subject::person_argument(fcinfo).hex));
}

AEGIS_FUNCTION(aegis_shred_subject) {
    pg_uuid_t id = tenant::id_argument(fcinfo);
    const char *reason =
        operator_way::required_text(fcinfo, 2, "reason", operator_way::kReasonBytes);
    tenant::require(id);
    subject::Person person = subject::person_argument(fcinfo);
    key::SubjectRow row = key::find_subject(id, person.name);
    if (row.generation == 0)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
                        errmsg("the tenant holds nothing that is sealed for this data subject"),
                        errhint("A subject has the type of the column that names it: 7::bigint, "
                                "'…'::uuid and '…'::text are three.")));
    if (row.destroyed)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the key of the data subject was destroyed already"),
                        errhint("See aegis.shred_status().")));
    pg::Identity before = pg::enter();
    subject::destroy(person, row.generation, subject::destroy_key, reason);
    int64 job = subject::queue_job(id);
    pg::leave(before);
    PG_RETURN_INT64(job);
}

AEGIS_FUNCTION(aegis_admit_subject) {
    pg_uuid_t id = tenant::id_argument(fcinfo);
    const char *reason =
        operator_way::required_text(fcinfo, 2, "reason", operator_way::kReasonBytes);
    tenant::require(id);
    subject::Person person = subject::person_argument(fcinfo);
    key::SubjectRow row = key::find_subject(id, person.name);
    if (row.generation == 0 || !row.destroyed)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the data subject was not erased"),
                        errdetail("Whoever was not gets a key with the first value.")));
    pg::Identity before = pg::enter();
    Datum values[3];
    subject::values_of(person, row.generation, values);
    // With a new key the job would take what is left of the old one for a living person's.
    if (pg::execute(subject::find_unclean, values) > 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the data subject is being erased"),
                        errhint("Wait for the job \"erase_subjects\" of the tenant.")));
    if (!key::insert_subject(id, person.name, row.generation + 1))
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("the key of the data subject was changed by another transaction"),
                        errhint("Try again.")));
    subject::record("key.subject_admitted", person, row.generation + 1, reason);
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_shred_subject_again) {
    if (GetUserId() != role::owner())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only aegis_owner destroys a key once more")));
    core::ByteView name = pg::varlena_view(PG_GETARG_DATUM(1));
    subject::Person person;
    if (name.size != sizeof person.name)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("name has 32 bytes")));
    person.tenant = *PG_GETARG_UUID_P(0);
    memcpy(person.name, name.data, name.size);
    person.hex = subject::hex_of(person.name);
    pg::Identity before = pg::enter();
    subject::destroy(person, static_cast<uint32_t>(PG_GETARG_INT32(2)), subject::put_tombstone,
                     "came back with a restore");
    subject::queue_job(person.tenant);
    pg::leave(before);
    PG_RETURN_VOID();
}
