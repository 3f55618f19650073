// SPDX-License-Identifier: Apache-2.0
// Finds the link of a token by its hash, and gives the context of what it opens.
#include "core/session_token.hpp"

#include "link.hpp"

#include "context.hpp"
#include "guc.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"

namespace aegis::link {

namespace {

// Numbers of columns, as the install script makes them.
enum Column {
    token_hash = 1,
    id,
    tenant_id,
    kind,
    target,
    created_by,
    created_at,
    expires_at,
    revoked_at,
    opened_at
};

}  // namespace

bool find(core::ByteView token, const char *wanted, Link *found) {
    std::string_view shown = {reinterpret_cast<const char *>(token.data), token.size};
    if (!core::is_token(core::TokenKind::user, shown)) return false;
    struct varlena *hash = pg::alloc_varlena(core::kDigestBytes);
    core::ByteSpan out = pg::payload(hash);
    pg::raise(pg::run([&] {
        core::Digest digest = core::session_token_hash(shown);
        memcpy(out.data, digest.bytes, out.size);
    }));
    ScanKeyData key;
    ScanKeyInit(&key, Column::token_hash, BTEqualStrategyNumber, F_BYTEAEQ, PointerGetDatum(hash));
    own_table::Scan scan = own_table::begin("link", &key);
    HeapTuple row = own_table::next(scan);
    bool holds = row != nullptr;
    if (holds) {
        bool is_null;
        auto get = [&](int number) { return own_table::column(scan, row, number, &is_null); };
        found->id = *DatumGetUUIDP(get(Column::id));
        found->tenant = *DatumGetUUIDP(get(Column::tenant_id));
        found->target = *DatumGetUUIDP(get(Column::target));
        holds = strcmp(TextDatumGetCString(get(Column::kind)), wanted) == 0 &&
                DatumGetTimestampTz(get(Column::expires_at)) > GetCurrentTimestamp();
        get(Column::revoked_at);
        holds = holds && is_null;
    }
    own_table::end(scan);
    return holds;
}

void establish(const Link &link, const tenant::Home &home, const char *ip, const char *user_agent,
               const char *request_id) {
    context::Context context{};
    context.tenant = link.tenant;
    context.session = link.id;
    context.target = link.target;
    context.way = context::Way::link;
    context.expires_at =
        GetCurrentTimestamp() + static_cast<int64>(guc::transaction_timeout) * USECS_PER_SEC;
    limit::give(home.limits, &context);
    const pg_uuid_t nobody{};
    // What it opens may be anybody's in the tenant; policies of the application's tables narrow
    // the context to the target, and what asks for a rank is for people.
    context::set_ranges(context, context::kRankAdmin, nobody, home.team_ord, home.team_last_ord);
    context.rank = context::kRankNone;
    context::set_origin(context, ip, user_agent, request_id);
    context::establish(context);
}

}  // namespace aegis::link
