// SPDX-License-Identifier: Apache-2.0
// What claims stand for, which is data: issuers, ranks of roles, tenants of organisations, users of
// subjects.
#include "issuer.hpp"

#include "own_table.hpp"
#include "pg/function.hpp"

namespace aegis::issuer {

namespace {

// Numbers of columns, as the install script makes them.
namespace column {
enum Issuer {
    id = 1,
    name,
    issuer,
    preset,
    types,
    audiences,
    parties,
    organisation_claim,
    role_claim,
    skew,
    refresh,
    key_lifetime,
    destination,
    jwks_path,
    created_at,
    retired_at
};
namespace tenant {
enum Tenant { issuer_id = 1, organisation, tenant_id };
}
namespace role {
enum Role { issuer_id = 1, role, rank };
}
namespace user {
enum User { issuer_id = 1, tenant_id, subject, user_id };
}
}  // namespace column

constexpr int kMostRoles = 64;

std::string_view view_of(const char *text) {
    return {text, strlen(text)};
}

// Copies, for the row goes with its scan.
const std::string_view *views_of(Datum list, size_t *count) {
    Datum *values;
    int number;
    deconstruct_array(DatumGetArrayTypePCopy(list), TEXTOID, -1, false, TYPALIGN_INT, &values,
                      nullptr, &number);
    auto *views = static_cast<std::string_view *>(palloc0(sizeof(std::string_view) * (number + 1)));
    for (int i = 0; i < number; i++) views[i] = view_of(TextDatumGetCString(values[i]));
    *count = static_cast<size_t>(number);
    return views;
}

ScanKeyData key_of(int number, const pg_uuid_t &value) {
    ScanKeyData key;
    ScanKeyInit(&key, static_cast<AttrNumber>(number), BTEqualStrategyNumber, F_UUID_EQ,
                UUIDPGetDatum(&value));
    return key;
}

ScanKeyData key_of(int number, const char *value) {
    ScanKeyData key;
    ScanKeyInit(&key, static_cast<AttrNumber>(number), BTEqualStrategyNumber, F_TEXTEQ,
                CStringGetTextDatum(value));
    return key;
}

// One uuid of the only row with these keys; false when there is none.
bool find_id(const char *table, ScanKeyData *keys, int count, int number, Snapshot snapshot,
             pg_uuid_t *id) {
    own_table::Scan scan = own_table::begin(table, keys, count, nullptr, snapshot);
    HeapTuple row = own_table::next(scan);
    bool is_null;
    if (row != nullptr) *id = *DatumGetUUIDP(own_table::column(scan, row, number, &is_null));
    own_table::end(scan);
    return row != nullptr;
}

}  // namespace

bool find(const char *address, Snapshot snapshot, Issuer *issuer) {
    ScanKeyData key = key_of(column::issuer, address);
    own_table::Scan scan = own_table::begin("issuer", &key, 1, "issuer_address", snapshot);
    HeapTuple row = own_table::next(scan);
    if (row != nullptr) {
        bool is_null;
        auto get = [&](int number) { return own_table::column(scan, row, number, &is_null); };
        core::TokenRules &rules = issuer->rules;
        issuer->id = *DatumGetUUIDP(get(column::id));
        issuer->name = TextDatumGetCString(get(column::name));
        rules.issuer = view_of(TextDatumGetCString(get(column::issuer)));
        rules.shape = strcmp(TextDatumGetCString(get(column::preset)), "clerk") == 0
                          ? core::ClaimShape::clerk
                          : core::ClaimShape::plain;
        rules.types = views_of(get(column::types), &rules.type_count);
        rules.audiences = views_of(get(column::audiences), &rules.audience_count);
        rules.parties = views_of(get(column::parties), &rules.party_count);
        rules.organisation_path =
            views_of(get(column::organisation_claim), &rules.organisation_depth);
        rules.role_path = views_of(get(column::role_claim), &rules.role_depth);
        rules.skew = DatumGetIntervalP(get(column::skew))->time / USECS_PER_SEC;
    }
    own_table::end(scan);
    return row != nullptr;
}

void find_roles(Snapshot snapshot, Issuer *issuer) {
    auto *roles = static_cast<core::RoleRank *>(palloc0(sizeof(core::RoleRank) * kMostRoles));
    size_t count = 0;
    ScanKeyData key = key_of(column::role::issuer_id, issuer->id);
    own_table::Scan scan = own_table::begin("issuer_role", &key, 1, nullptr, snapshot);
    for (HeapTuple row; count < kMostRoles && (row = own_table::next(scan)) != nullptr; count++) {
        bool is_null;
        auto get = [&](int number) { return own_table::column(scan, row, number, &is_null); };
        roles[count].role = view_of(TextDatumGetCString(get(column::role::role)));
        roles[count].rank = DatumGetInt16(get(column::role::rank));
    }
    own_table::end(scan);
    issuer->rules.roles = roles;
    issuer->rules.role_count = count;
}

bool find_user(const Issuer &issuer, const core::TokenClaims &claims, Snapshot snapshot,
               pg_uuid_t *tenant, pg_uuid_t *user) {
    ScanKeyData of_tenant[] = {key_of(column::tenant::issuer_id, issuer.id),
                               key_of(column::tenant::organisation, claims.organisation)};
    if (!find_id("issuer_tenant", of_tenant, 2, column::tenant::tenant_id, snapshot, tenant))
        return false;
    ScanKeyData of_user[] = {key_of(column::user::issuer_id, issuer.id),
                             key_of(column::user::tenant_id, *tenant),
                             key_of(column::user::subject, claims.subject)};
    return find_id("issuer_user", of_user, 3, column::user::user_id, snapshot, user);
}

}  // namespace aegis::issuer
