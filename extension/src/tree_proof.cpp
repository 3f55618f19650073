// SPDX-License-Identifier: Apache-2.0
// The proofs as SQL functions: who may ask for which log, and the tests' way to check an answer.
#include "core/proof.hpp"

#include "context.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "tree.hpp"

namespace aegis::tree {

namespace {

bool is_auditor(Oid user) {
    return user == role::owner() || superuser_arg(user) || has_privs_of_role(user, role::auditor());
}

uint64 size_argument(int64 value, const char *name) {
    if (value < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s must not be negative", name)));
    return static_cast<uint64>(value);
}

Datum array_of(const Path &path) {
    Datum elements[kMaxPath];
    for (int i = 0; i < path.count; i++)
        elements[i] = PointerGetDatum(pg::copy_varlena(path.hashes[i].view()));
    return PointerGetDatum(
        construct_array(elements, path.count, BYTEAOID, -1, false, TYPALIGN_INT));
}

Datum root_path(FunctionCallInfo fcinfo, Path (*make)(int32, uint64, uint64), const char *first,
                const char *second) {
    uint64 a = size_argument(PG_GETARG_INT64(0), first);
    uint64 b = size_argument(PG_GETARG_INT64(1), second);
    pg::Identity caller = pg::enter();
    Path path = make(kRootLog, a, b);
    pg::leave(caller);
    return array_of(path);
}

Datum tenant_path(FunctionCallInfo fcinfo, Path (*make)(int32, uint64, uint64), const char *first,
                  const char *second) {
    const pg_uuid_t *tenant = PG_ARGISNULL(0) ? nullptr : PG_GETARG_UUID_P(0);
    require_permission(tenant);
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2)) PG_RETURN_NULL();
    uint64 a = size_argument(PG_GETARG_INT64(1), first);
    uint64 b = size_argument(PG_GETARG_INT64(2), second);
    pg::Identity caller = pg::enter();
    Path path = make(log_of(tenant), a, b);
    pg::leave(caller);
    return array_of(path);
}

}  // namespace

void require_permission(const pg_uuid_t *tenant) {
    const context::Context *context = context::current();
    if (context == nullptr) {
        if (!is_auditor(GetUserId())) context::require();
        return;
    }
    if (context->rank < context::kRankAdmin || tenant == nullptr ||
        memcmp(tenant->data, context->tenant.data, UUID_LEN) != 0)
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                 errmsg("only an admin may ask for proofs, and only for the own tenant's log")));
}

void require_auditor() {
    if (context::current() != nullptr || !is_auditor(GetUserId()))
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("only an auditor may read which logs there are")));
}

int32 log_of(const pg_uuid_t *tenant) {
    static pg::Statement of_tenant = {
        "SELECT log FROM aegis.tenant_log WHERE tenant_id OPERATOR(pg_catalog.=) $1",
        1,
        {UUIDOID},
        nullptr};
    static pg::Statement of_system = {
        "SELECT log FROM aegis.tenant_log WHERE tenant_id IS NULL", 0, {}, nullptr};
    Datum value = UUIDPGetDatum(tenant);
    uint64 rows = tenant != nullptr ? pg::read(of_tenant, &value) : pg::read(of_system, nullptr);
    if (rows == 0)
        ereport(ERROR,
                (errcode(AEGIS_ERRCODE_TENANT_UNKNOWN),
                 tenant == nullptr ? errmsg("nothing of the system's log is sealed")
                                   : errmsg("nothing is sealed of tenant \"%s\"",
                                            DatumGetCString(DirectFunctionCall1(uuid_out, value))),
                 errhint("aegis.wait_sealed() waits for the first seal.")));
    bool is_null;
    return DatumGetInt32(pg::column(0, 1, &is_null));
}

}  // namespace aegis::tree

using namespace aegis;

AEGIS_FUNCTION(aegis_inclusion_proof) {
    return tree::tenant_path(fcinfo, tree::inclusion, "leaf", "size");
}

AEGIS_FUNCTION(aegis_consistency_proof) {
    return tree::tenant_path(fcinfo, tree::consistency, "first", "second");
}

AEGIS_FUNCTION(aegis_root_inclusion_proof) {
    return tree::root_path(fcinfo, tree::inclusion, "index", "size");
}

AEGIS_FUNCTION(aegis_root_consistency_proof) {
    return tree::root_path(fcinfo, tree::consistency, "first", "second");
}

AEGIS_FUNCTION(aegis_log_root) {
    const pg_uuid_t *tenant = PG_ARGISNULL(0) ? nullptr : PG_GETARG_UUID_P(0);
    tree::require_permission(tenant);
    if (PG_ARGISNULL(1)) PG_RETURN_NULL();
    uint64 size = tree::size_argument(PG_GETARG_INT64(1), "size");
    pg::Identity caller = pg::enter();
    core::Digest root = tree::root(tree::log_of(tenant), size);
    pg::leave(caller);
    PG_RETURN_BYTEA_P(pg::copy_varlena(root.view()));
}

#ifdef AEGIS_TESTING
namespace {

core::Digest digest_argument(Datum value) {
    core::ByteView bytes = pg::varlena_view(value);
    if (bytes.size != core::kDigestBytes)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("not 32 bytes")));
    core::Digest digest;
    memcpy(digest.bytes, bytes.data, bytes.size);
    return digest;
}

tree::Path path_argument(Datum value) {
    Datum *elements;
    int count;
    deconstruct_array(DatumGetArrayTypeP(value), BYTEAOID, -1, false, TYPALIGN_INT, &elements,
                      nullptr, &count);
    tree::Path path = {};
    path.count = Min(count, tree::kMaxPath);
    for (int i = 0; i < path.count; i++) path.hashes[i] = digest_argument(elements[i]);
    return path;
}

}  // namespace

// aegis_test_verify_inclusion(index, size, leaf, proof, root)
AEGIS_FUNCTION(aegis_test_verify_inclusion) {
    core::Digest leaf = digest_argument(PG_GETARG_DATUM(2)),
                 root = digest_argument(PG_GETARG_DATUM(4));
    tree::Path path = path_argument(PG_GETARG_DATUM(3));
    uint64 index = static_cast<uint64>(PG_GETARG_INT64(0));
    uint64 size = static_cast<uint64>(PG_GETARG_INT64(1));
    bool right = false;
    pg::raise(pg::run([&] {
        right = core::verify_inclusion(index, size, leaf,
                                       core::Proof(path.hashes, path.hashes + path.count), root);
    }));
    PG_RETURN_BOOL(right);
}

// aegis_test_verify_consistency(first, second, proof, first_root, second_root)
AEGIS_FUNCTION(aegis_test_verify_consistency) {
    core::Digest before = digest_argument(PG_GETARG_DATUM(3)),
                 root = digest_argument(PG_GETARG_DATUM(4));
    tree::Path path = path_argument(PG_GETARG_DATUM(2));
    uint64 first = static_cast<uint64>(PG_GETARG_INT64(0));
    uint64 second = static_cast<uint64>(PG_GETARG_INT64(1));
    bool right = false;
    pg::raise(pg::run([&] {
        right = core::verify_consistency(
            first, second, core::Proof(path.hashes, path.hashes + path.count), before, root);
    }));
    PG_RETURN_BOOL(right);
}
#endif
