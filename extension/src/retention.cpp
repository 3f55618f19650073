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

ledger::Written record(const pg_uuid_t *tenant, int64 size, const core::Digest &root,
                       const char *statement, const char *requested_by, const char *approved_by,
                       const char *reason) {
    char hex[2 * core::kDigestBytes + 1] = {};
    core::to_hex(root.view(), hex);
    const ledger::DetailPair pairs[] = {{"root", hex, 0},
                                        {"size", nullptr, size},
                                        {"reason", reason, 0},
                                        {"statement", statement, 0},
                                        {"approved_by", approved_by, 0},
                                        {"requested_by", requested_by, 0}};
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

// aegis.begin_cut(log, tenant, until, statement, requested_by, approved_by, reason)
AEGIS_FUNCTION(aegis_begin_cut) {
    using namespace aegis;
    using namespace aegis::retention;
    if (GetUserId() != role::owner())
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("only aegis_owner cuts a ledger"),
                 errhint("Call aegis.cut_ledger() with an approved request.")));
    int32 log = PG_GETARG_INT32(0);
    const pg_uuid_t *tenant = PG_GETARG_UUID_P(1);
    int64 size = PG_GETARG_INT64(2);
    if (SPI_connect() != SPI_OK_CONNECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not connect to SPI")));
    Head head = find_head(log, size);
    core::Frontier frontier = tree::frontier(log, static_cast<uint64>(size));
    core::Digest root;
    pg::raise(pg::run([&] { root = frontier.root(); }));
    if (memcmp(root.bytes, head.root.bytes, sizeof root.bytes) != 0)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("the hashes of log %d do not lead to its head", log),
                        errhint("aegis.verify_ledger() says more.")));
    ledger::Written written =
        record(tenant, size, root, text_to_cstring(PG_GETARG_TEXT_PP(3)),
               text_to_cstring(PG_GETARG_TEXT_PP(4)), text_to_cstring(PG_GETARG_TEXT_PP(5)),
               text_to_cstring(PG_GETARG_TEXT_PP(6)));
    insert(log, size, head.seal, frontier, written);
    int64 job = job::create("cut_ledger", tenant);
    SPI_finish();
    PG_RETURN_INT64(job);
}
