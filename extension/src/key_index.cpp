// SPDX-License-Identifier: Apache-2.0
// Tokens cannot be rewritten row by row: half a tenant's rows would be found by the old key, half
// by the new. So the job freezes the fields, waits for whoever was writing, and then changes key
// and tokens in one transaction. Readers see the one state or the other (key_root.cpp).
#include "key_index.hpp"

#include "context.hpp"
#include "field.hpp"
#include "job_table.hpp"
#include "key.hpp"
#include "key_cache.hpp"
#include "key_root.hpp"
#include "ledger.hpp"
#include "operator.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "reseal.hpp"
#include "tenant.hpp"
#include "user.hpp"

namespace aegis::key {

namespace {

constexpr int kWaitMillis = 100;

pg::Statement set_frozen = {
    "UPDATE aegis.tenant_key SET frozen = $2 WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND kind "
    "OPERATOR(pg_catalog.=) 'index' AND state OPERATOR(pg_catalog.=) 'active' AND frozen "
    "OPERATOR(pg_catalog.<>) $2",
    2,
    {UUIDOID, BOOLOID},
    nullptr};

// Nothing opens or finds by an older search key: not even the ledger, whose images have no token.
pg::Statement destroy_older = {
    "UPDATE aegis.tenant_key SET state = 'destroyed', wrapped = NULL, salt = NULL, frozen = false "
    "WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND kind OPERATOR(pg_catalog.=) 'index' AND epoch "
    "OPERATOR(pg_catalog.<) $2 AND state OPERATOR(pg_catalog.<>) 'destroyed'",
    2,
    {UUIDOID, INT4OID},
    nullptr};

pg::Statement find_job = {
    "SELECT j.id FROM aegis.job j WHERE j.kind OPERATOR(pg_catalog.=) 'rotate_index' AND "
    "j.tenant_id OPERATOR(pg_catalog.=) $1 AND j.state OPERATOR(pg_catalog.=) ANY "
    "(ARRAY['queued', 'running', 'paused'])",
    1,
    {UUIDOID},
    nullptr};

enum class Phase { freeze, note, wait, rewrite };

// Of this process; after a crash the job begins anew, which changes nothing that was done.
struct Work {
    MemoryContext memory;
    int64 job;  // 0: none
    Phase phase;
    job::Writers writers;
} work;

int64 freeze(const pg_uuid_t &tenant, bool frozen) {
    pg_uuid_t id = tenant;
    Datum values[] = {UUIDPGetDatum(&id), BoolGetDatum(frozen)};
    key_cache::announce_change();
    return static_cast<int64>(pg::execute(set_frozen, values));
}

// The statement that gives the rows of a table new tokens; nullptr when it has nothing to find by.
char *rewriting(Oid oid) {
    Relation relation = try_relation_open(oid, AccessShareLock);
    if (relation == nullptr) return nullptr;
    StringInfoData changes;
    initStringInfo(&changes);
    TupleDesc shape = RelationGetDescr(relation);
    for (int i = 0; i < shape->natts; i++) {
        Form_pg_attribute attribute = TupleDescAttr(shape, i);
        if (attribute->attisdropped) continue;
        const sealed::Type *type = sealed::find_type(attribute->atttypid);
        if (type == nullptr || !type->kind->searchable()) continue;
        const char *column = quote_identifier(NameStr(attribute->attname));
        appendStringInfo(&changes, "%s%s = aegis.retoken(%s%s)", changes.len > 0 ? ", " : "",
                         column, column, field::row_argument(relation, attribute->attnum));
    }
    if (oid == user::relation())
        appendStringInfoString(&changes, ", login = coalesce(aegis.login_again(email), login)");
    char *text = nullptr;
    if (changes.len > 0 && relation->rd_rel->relkind == RELKIND_RELATION)
        text =
            psprintf("UPDATE ONLY %s AS %s SET %s WHERE tenant_id = $1",
                     quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
                                                RelationGetRelationName(relation)),
                     field::kRowAlias, changes.data);
    relation_close(relation, AccessShareLock);
    return text;
}

void start(const job::Job &job) {
    if (work.memory == nullptr)
        work.memory =
            AllocSetContextCreate(TopMemoryContext, "aegis search key", ALLOCSET_DEFAULT_SIZES);
    MemoryContextReset(work.memory);
    work = {work.memory, 0, Phase::freeze, {}};
}

job::Progress rewrite(const job::Job &job) {
    uint32_t epoch = open_epoch(job.tenant, RootKind::index);
    reseal::Tally before = reseal::tally();
    reseal::begin_running();
    int64 rows = 0;
    ListCell *cell;
    foreach (cell, field::tables()) {
        char *text = rewriting(lfirst_oid(cell));
        if (text == nullptr) continue;
        Oid types[] = {UUIDOID};
        Datum values[] = {UUIDPGetDatum(&job.tenant)};
        job::AsOwner entered = job::enter_table(lfirst_oid(cell), true);
        if (SPI_execute_with_args(text, 1, types, values, nullptr, false, 0) != SPI_OK_UPDATE)
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not rewrite tokens")));
        rows += static_cast<int64>(SPI_processed);
        job::leave_table(entered);
    }
    pg_uuid_t id = job.tenant;
    Datum values[] = {UUIDPGetDatum(&id), Int32GetDatum(static_cast<int32>(epoch))};
    pg::execute(destroy_older, values);

    int64 failed = static_cast<int64>(reseal::tally().failed - before.failed);
    const ledger::DetailPair pairs[] = {
        {"epoch", nullptr, epoch}, {"failed", nullptr, failed}, {"rows", nullptr, rows}};
    uint8_t buffer[96];
    ledger::Event event{"key.index_rewritten"};
    event.tenant = &id;
    event.target_kind = "tenant_key";
    event.target_id = psprintf("%u", epoch);
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
    return {true, rows,
            psprintf("{\"epoch\": %u, \"rows\": " INT64_FORMAT ", \"failed\": " INT64_FORMAT "}",
                     epoch, rows, failed),
            0};
}

}  // namespace

job::Progress rewrite_index_step(const job::Job &job) {
    if (work.job != job.id) start(job);
    work.job = 0;  // an error begins anew
    job::Progress progress = {false, job.done, nullptr, 0};
    switch (work.phase) {
        case Phase::freeze:
            freeze(job.tenant, true);
            work.phase = Phase::note;
            break;
        case Phase::note: {  // nobody has begun to write a value since the freeze was committed
            ListCell *cell;
            foreach (cell, field::tables())
                job::note_writers(lfirst_oid(cell), work.memory, &work.writers);
            work.phase = Phase::wait;
            break;
        }
        case Phase::wait:
            job::forget_gone(&work.writers);
            if (work.writers.count == 0)
                work.phase = Phase::rewrite;  // in the next snapshot
            else
                progress.rest_millis = kWaitMillis;
            break;
        case Phase::rewrite:
            progress = rewrite(job);
            break;
    }
    work.job = progress.finished ? 0 : job.id;
    return progress;
}

void rewrite_index_failed(const job::Job &job) {
    freeze(job.tenant, false);
}

}  // namespace aegis::key

using namespace aegis;

AEGIS_FUNCTION(aegis_rotate_index_key) {
    pg_uuid_t id = tenant::id_argument(fcinfo);
    const char *reason =
        operator_way::required_text(fcinfo, 1, "reason", operator_way::kReasonBytes);
    tenant::require(id);

    pg::Identity before = pg::enter();
    tenant::lock(id);
    key::Root root;  // it must open: the job would find out too late
    key::load_root(id, key::RootKind::index, key::kCurrentEpoch, &root);
    core::wipe(root.key);
    bool null;
    Datum key[] = {UUIDPGetDatum(&id)};
    if (pg::execute(key::find_job, key) > 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the search key of the tenant is being rotated already"),
                        errhint("See job " INT64_FORMAT " in aegis.jobs.",
                                DatumGetInt64(pg::column(0, 1, &null)))));
    int64 job = job::create("rotate_index", &id);
    const ledger::DetailPair pairs[] = {{"job", nullptr, job}, {"reason", reason, 0}};
    uint8_t buffer[256];
    ledger::Event event{"key.index_rotated"};
    event.tenant = &id;
    event.target_kind = "tenant_key";
    event.target_id = psprintf("%u", root.epoch);
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::append(event);
    pg::leave(before);
    PG_RETURN_INT64(job);
}

namespace {

const pg_uuid_t &require_job() {
    const context::Context *context = context::current();
    if (context == nullptr || context->way != context::Way::job)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("search tokens are rewritten by a job only"),
                        errhint("aegis.rotate_index_key() creates one.")));
    return context->tenant;
}

}  // namespace

// The same value with the token that the current search key gives; as it is when it does not open.
AEGIS_FUNCTION(aegis_retoken) {
    const pg_uuid_t &tenant = require_job();
    if (PG_NARGS() > 1) sealed::type_of(fcinfo);
    const field::Field *field = nullptr;
    core::ByteSpan plaintext;
    if (!reseal::open_value(tenant, fcinfo, &field, &plaintext))
        PG_RETURN_DATUM(PG_GETARG_DATUM(0));
    struct varlena *result = pg::copy_varlena(pg::varlena_view(PG_GETARG_DATUM(0)));
    sealed::token_of_plaintext(tenant, *field->type, plaintext,
                               pg::payload(result).data + core::kEnvelopeHeaderBytes);
    sealed::discard(plaintext);
    PG_RETURN_POINTER(result);
}

// What aegis.user.login holds for an e-mail; NULL when it does not open.
AEGIS_FUNCTION(aegis_login_again) {
    const pg_uuid_t &tenant = require_job();
    const field::Field *field = nullptr;
    core::ByteSpan plaintext;
    if (!reseal::open_value(tenant, fcinfo, &field, &plaintext)) PG_RETURN_NULL();
    core::ByteSpan normal{static_cast<uint8_t *>(palloc(plaintext.size + 1)), plaintext.size};
    pg::Report report =
        pg::run([&] { normal.size = core::normalise(core::Normaliser::email, plaintext, normal); });
    sealed::discard(plaintext);
    pg::raise(report);
    struct varlena *login = pg::alloc_varlena(32);
    key::login_token(tenant, normal, pg::payload(login).data);
    sealed::discard(normal);
    PG_RETURN_BYTEA_P(login);
}
