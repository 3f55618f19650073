// SPDX-License-Identifier: Apache-2.0
#include "tenant_home.hpp"

#include "guc.hpp"
#include "key.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "team.hpp"
#include "tenant.hpp"

namespace aegis::tenant {

Place find_home(const pg_uuid_t &id, Home *home) {
    team::hold_numbers(id);
    Tenant tenant;
    if (!find_by_id(id, &tenant)) return Place::inactive;
    bool moved = tenant.moved_to[0] != '\0';
    strlcpy(home->region, moved ? tenant.moved_to : tenant.region, sizeof home->region);
    if (moved) return Place::moved;
    pg_uuid_t team;
    if (!tenant.active || !root_team(tenant.id, &team, &home->team_ord, &home->team_last_ord))
        return Place::inactive;
    home->limits = limit::of_tenant(tenant.id);
    return strcmp(home->region, guc::region) == 0 ? Place::here : Place::misdirected;
}

}  // namespace aegis::tenant

namespace {

constexpr size_t kHashBytes = 32;
constexpr char kDecoyLabel[] = "aegis/tenant-home/1";

aegis::pg::Statement find_by_hash = {
    "SELECT t.status OPERATOR(pg_catalog.=) 'active', t.region, t.moved_to, t.created_at"
    "  FROM aegis.tenant t"
    " WHERE pg_catalog.sha256(t.slug::pg_catalog.bytea) OPERATOR(pg_catalog.=) $1",
    1,
    {BYTEAOID},
    nullptr};

struct Claim {
    const char *state = "unknown";
    const char *region = aegis::guc::region;
    int64 place = 0;
};

// Where a name that nobody has would be: each region draws for it, under a key of its own, so that
// it always is the same one and nobody outside can say which.
int64 draw(aegis::core::ByteView hash) {
    static const pg_uuid_t system = {};
    uint8_t labelled[sizeof kDecoyLabel + kHashBytes];
    memcpy(labelled, kDecoyLabel, sizeof kDecoyLabel);
    memcpy(labelled + sizeof kDecoyLabel, hash.data, kHashBytes);
    uint8_t digest[32];
    aegis::key::body_digest(system, aegis::core::ByteView(labelled), digest);
    uint64 drawn;
    memcpy(&drawn, digest, sizeof drawn);
    return static_cast<int64>(drawn >> 1);
}

// Texts of the claim live in the caller's memory.
void find_claim(Datum hash, Claim *claim) {
    MemoryContext memory = CurrentMemoryContext;
    aegis::pg::Identity before = aegis::pg::enter();
    if (aegis::pg::execute(find_by_hash, &hash) == 1) {
        bool is_null;
        bool active = DatumGetBool(aegis::pg::column(0, 1, &is_null));
        char *region = TextDatumGetCString(aegis::pg::column(0, 2, &is_null));
        claim->place = DatumGetInt64(aegis::pg::column(0, 4, &is_null));
        Datum moved_to = aegis::pg::column(0, 3, &is_null);
        if (!is_null) region = TextDatumGetCString(moved_to);
        claim->state = strcmp(region, aegis::guc::region) != 0 ? "moved"
                       : active                                ? "here"
                                                               : "suspended";
        claim->region = MemoryContextStrdup(memory, region);
    }
    aegis::pg::leave(before);
}

}  // namespace

AEGIS_FUNCTION(aegis_tenant_home) {
    Datum hash = PG_GETARG_DATUM(0);
    aegis::core::ByteView bytes = aegis::pg::varlena_view(hash);
    if (bytes.size != kHashBytes)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("hash of a short name must have %zu bytes", kHashBytes),
                        errhint("It is the SHA-256 of the short name.")));
    Claim claim;
    // Drawn for every name, so that the time tells nothing either.
    claim.place = draw(bytes);
    find_claim(hash, &claim);
    Datum values[] = {CStringGetTextDatum(claim.state), CStringGetTextDatum(claim.region),
                      Int64GetDatum(claim.place)};
    bool nulls[] = {false, false, false};
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("return type must be a row type")));
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
