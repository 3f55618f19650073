// SPDX-License-Identifier: Apache-2.0
#include "core/session_token.hpp"
#include "user_token.hpp"

#include "budget.hpp"
#include "guc.hpp"
#include "limit.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "user.hpp"

namespace aegis::user_token {

namespace {

pg::Statement find_token = {
    "SELECT k.tenant_id, k.user_id FROM aegis.user_token k"
    "  JOIN aegis.tenant t ON t.id OPERATOR(pg_catalog.=) k.tenant_id"
    "  JOIN aegis.user u ON u.id OPERATOR(pg_catalog.=) k.user_id"
    " WHERE k.token_hash OPERATOR(pg_catalog.=) $1 AND k.purpose OPERATOR(pg_catalog.=) $2"
    "   AND k.expires_at OPERATOR(pg_catalog.>) $3"
    "   AND t.status OPERATOR(pg_catalog.=) 'active' AND t.moved_to IS NULL"
    "   AND t.region OPERATOR(pg_catalog.=) $4"
    "   AND u.status OPERATOR(pg_catalog.=) CASE WHEN k.purpose OPERATOR(pg_catalog.=) "
    "'invitation' "
    "THEN 'invited' ELSE 'active' END",
    4,
    {BYTEAOID, TEXTOID, TIMESTAMPTZOID, TEXTOID},
    nullptr};

pg::Statement delete_tokens = {
    "DELETE FROM aegis.user_token WHERE user_id OPERATOR(pg_catalog.=) $1", 1, {UUIDOID}, nullptr};

pg::Statement send_token = {
    "SELECT aegis.send_user_token('invitation', $1, $2)", 2, {UUIDOID, UUIDOID}, nullptr};

pg::Statement read_login = {
    "SELECT login FROM aegis.user WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND id "
    "OPERATOR(pg_catalog.=) $2",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

const char *name_of(Purpose purpose) {
    return purpose == Purpose::invitation ? "invitation" : "reset";
}

}  // namespace

bool find(core::ByteView token, Purpose purpose, TimestampTz now, Token *found) {
    std::string_view text = {reinterpret_cast<const char *>(token.data), token.size};
    if (!core::is_token(core::TokenKind::user, text)) return false;
    struct varlena *hash = pg::alloc_varlena(core::kDigestBytes);
    core::ByteSpan out = pg::payload(hash);
    pg::raise(pg::run([&] {
        core::Digest digest = core::session_token_hash(text);
        memcpy(out.data, digest.bytes, out.size);
    }));
    Datum values[] = {PointerGetDatum(hash), CStringGetTextDatum(name_of(purpose)),
                      TimestampTzGetDatum(now), CStringGetTextDatum(guc::region)};
    if (pg::execute(find_token, values) != 1) return false;
    bool is_null;
    found->tenant = *DatumGetUUIDP(pg::column(0, 1, &is_null));
    found->user = *DatumGetUUIDP(pg::column(0, 2, &is_null));
    return true;
}

void forget(const pg_uuid_t &user) {
    Datum values[] = {UUIDPGetDatum(&user)};
    pg::execute(delete_tokens, values);
}

void send_invitation(const pg_uuid_t &tenant, const pg_uuid_t &user) {
    Datum values[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&user)};
    bool is_null;
    int retry_after;
    // By the address and not the user, who can be taken back and invited again.
    if (pg::execute(read_login, values) == 1 &&
        !budget::take_mail(pg::varlena_view(pg::column(0, 1, &is_null)), &retry_after))
        limit::refuse(limit::Quota::mails, retry_after);
    forget(user);
    pg::execute(send_token, values);
}

}  // namespace aegis::user_token

// () → text: a new token, for functions of Aegis that store its hash and mail it
AEGIS_FUNCTION(aegis_new_user_token) {
    using namespace aegis;
    char token[core::kMaxSessionTokenBytes];
    size_t length = 0;
    pg::raise(
        pg::run([&] { length = core::make_token(core::TokenKind::user, guc::region, token); }));
    text *result = cstring_to_text_with_len(token, static_cast<int>(length));
    core::wipe({reinterpret_cast<uint8_t *>(token), sizeof token});
    PG_RETURN_TEXT_P(result);
}

// (tenant uuid, email text) → bytea: the keyed look-up value; without a tenant zeros; NULL when it
// cannot be an address
AEGIS_FUNCTION(aegis_login_value) {
    using namespace aegis;
    if (PG_ARGISNULL(1)) PG_RETURN_NULL();
    const pg_uuid_t *tenant = PG_ARGISNULL(0) ? nullptr : PG_GETARG_UUID_P(0);
    struct varlena *value = pg::alloc_varlena(32);
    memset(pg::payload(value).data, 0, 32);
    if (!user::login_of(tenant, text_to_cstring(PG_GETARG_TEXT_PP(1)), pg::payload(value).data))
        PG_RETURN_NULL();
    PG_RETURN_BYTEA_P(value);
}
