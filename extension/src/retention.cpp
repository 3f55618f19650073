// SPDX-License-Identifier: Apache-2.0
// Records a cut before anything is removed. The row of aegis.ledger_cut holds the very bytes of the
// entry that says so: whoever changes the row no longer has a leaf of the log.
#include "retention.hpp"

#include "core/encoding.hpp"

#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "tree.hpp"

namespace aegis::retention {

namespace {

struct Head {
    int64 seal;
    core::Digest root;
};

// The head that the log had at the size: the root log commits to its root.
Head find_head(int32 log, int64 size) {
    static pg::Statement statement = {
        "SELECT seal, root FROM aegis.seal_leaves WHERE log OPERATOR(pg_catalog.=) $1 AND "
        "first_leaf OPERATOR(pg_catalog.<) $2 AND root IS NOT NULL ORDER BY first_leaf DESC LIMIT "
        "1",
        2,
        {INT4OID, INT8OID},
        nullptr};
    Datum values[] = {Int32GetDatum(log), Int64GetDatum(size)};
    bool is_null = true;
    Head head = {};
    core::ByteView root;
    if (pg::read(statement, values) == 1) {
        head.seal = DatumGetInt64(pg::column(0, 1, &is_null));
        root = pg::varlena_view(pg::column(0, 2, &is_null));
    }
    if (root.size != core::kDigestBytes)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("the head of log %d at size " INT64_FORMAT " is damaged", log, size),
                        errhint("aegis.verify_ledger() says more.")));
    memcpy(head.root.bytes, root.data, root.size);
    return head;
}

struct Request {
    pg_uuid_t tenant;
    int32 log;
    int64 size;
    const char *statement, *requested_by, *approved_by, *reason;
};

// What two operators agreed on, which is done now: whoever calls us does not say it.
Request take_request(int64 id) {
    static pg::Statement statement = {
        "UPDATE aegis.tenant_request r SET closed_at = pg_catalog.now(), closed_as = 'done' FROM "
        "aegis.tenant_log l WHERE r.id OPERATOR(pg_catalog.=) $1 AND r.action "
        "OPERATOR(pg_catalog.=) 'cut_ledger' AND r.approved_by OPERATOR(pg_catalog.<>) "
        "r.requested_by AND r.closed_at IS NULL AND r.expires_at OPERATOR(pg_catalog.>) "
        "pg_catalog.clock_timestamp() AND l.tenant_id OPERATOR(pg_catalog.=) r.tenant_id "
        "RETURNING r.tenant_id, l.log, pg_catalog.split_part(r.argument, ':', "
        "1)::pg_catalog.int8, pg_catalog.split_part(r.argument, ':', 2), r.requested_by, "
        "r.approved_by, r.reason",
        1,
        {INT8OID},
        nullptr};
    Datum value = Int64GetDatum(id);
    uint64 taken = 0;
    ledger_tables::own_change([&] { taken = pg::execute(statement, &value); });
    if (taken != 1)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("no approved request to cut a ledger has this number"),
                        errhint("Call aegis.cut_ledger() with an approved request.")));
    bool is_null;
    auto text_at = [&](int at) { return TextDatumGetCString(pg::column(0, at, &is_null)); };
    Request request = {};
    request.tenant = *DatumGetUUIDP(pg::column(0, 1, &is_null));
    request.log = DatumGetInt32(pg::column(0, 2, &is_null));
    request.size = DatumGetInt64(pg::column(0, 3, &is_null));
    request.statement = text_at(4);
    request.requested_by = text_at(5);
    request.approved_by = text_at(6);
    request.reason = text_at(7);
    return request;
}

ledger::Written record(const Request &request, const core::Digest &root) {
    const pg_uuid_t *tenant = &request.tenant;
    char hex[2 * core::kDigestBytes + 1] = {};
    core::to_hex(root.view(), hex);
    const ledger::DetailPair pairs[] = {{"root", hex, 0},
                                        {"size", nullptr, request.size},
                                        {"reason", request.reason, 0},
                                        {"statement", request.statement, 0},
                                        {"approved_by", request.approved_by, 0},
                                        {"requested_by", request.requested_by, 0}};
    uint8_t buffer[1024];
    ledger::Event event{};
    event.type = "ledger.cut";
    event.tenant = tenant;
    event.target_kind = "ledger";
    event.target_id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(tenant)));
    event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(buffer));
    ledger::Written written{};
    ledger::append(event, &written);
    if (written.body.size == 0)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_CHARGED),
                        errmsg("the server runs in restore mode and cuts no ledger")));
    return written;
}

void insert(int32 log, int64 size, int64 seal, const core::Frontier &frontier,
            const ledger::Written &written) {
    static pg::Statement statement = {
        "INSERT INTO aegis.ledger_cut (log, size, seal, seq, frontier, body) VALUES ($1, $2, $3, "
        "$4, $5, $6)",
        6,
        {INT4OID, INT8OID, INT8OID, INT8OID, BYTEAOID, BYTEAOID},
        nullptr};
    struct varlena *bytes = pg::alloc_varlena(core::frontier_size(frontier));
    pg::raise(pg::run([&] { core::encode_frontier(frontier, pg::payload(bytes)); }));
    Datum values[] = {Int32GetDatum(log),     Int64GetDatum(size),
                      Int64GetDatum(seal),    Int64GetDatum(written.seq),
                      PointerGetDatum(bytes), PointerGetDatum(pg::copy_varlena(written.body))};
    ledger_tables::own_change([&] { pg::execute(statement, values); });
}

}  // namespace

}  // namespace aegis::retention

// aegis.begin_cut(request)
AEGIS_FUNCTION(aegis_begin_cut) {
    using namespace aegis;
    using namespace aegis::retention;
    if (GetUserId() != role::owner())
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("only aegis_owner cuts a ledger"),
                 errhint("Call aegis.cut_ledger() with an approved request.")));
    if (SPI_connect() != SPI_OK_CONNECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not connect to SPI")));
    Request request = take_request(PG_GETARG_INT64(0));
    Head head = find_head(request.log, request.size);
    core::Frontier frontier = tree::frontier(request.log, static_cast<uint64>(request.size));
    core::Digest root;
    pg::raise(pg::run([&] { root = frontier.root(); }));
    if (memcmp(root.bytes, head.root.bytes, sizeof root.bytes) != 0)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("the hashes of log %d do not lead to its head", request.log),
                        errhint("aegis.verify_ledger() says more.")));
    ledger::Written written = record(request, root);
    insert(request.log, request.size, head.seal, frontier, written);
    int64 job = job::create("cut_ledger", &request.tenant);
    SPI_finish();
    PG_RETURN_INT64(job);
}
