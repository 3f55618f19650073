// SPDX-License-Identifier: Apache-2.0
#include "core/encoding.hpp"
#include "issuer_sign_in.hpp"

#include "budget.hpp"
#include "charge.hpp"
#include "guc.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "second_factor.hpp"
#include "session.hpp"
#include "sign_in_account.hpp"

namespace aegis::issuer {

namespace {

constexpr size_t kDerivedDigits = 43;
constexpr size_t kMaxNameBytes = sign_in::kMaxIssuerNameBytes;

pg::Statement find_client = {
    "SELECT i.id, i.issuer, c.client_id, c.authorization_url, c.redirect_url, c.private_key"
    "  FROM aegis.issuer_client c JOIN aegis.issuer i ON i.id OPERATOR(pg_catalog.=) c.issuer_id"
    " WHERE i.name OPERATOR(pg_catalog.=) $1 AND i.retired_at IS NULL",
    1,
    {TEXTOID},
    nullptr};

pg::Statement queue_code = {"SELECT aegis.queue_issuer_code($1, $2, $3, $4)",
                            4,
                            {BYTEAOID, UUIDOID, TEXTOID, BYTEAOID},
                            nullptr};

pg::Statement find_attempt = {
    "SELECT a.state, a.tenant_id, a.user_id, a.second_factor, i.id, i.name"
    "  FROM aegis.issuer_attempt a JOIN aegis.issuer i ON i.id OPERATOR(pg_catalog.=) a.issuer_id"
    " WHERE a.token_hash OPERATOR(pg_catalog.=) $1 AND a.expires_at OPERATOR(pg_catalog.>) $2"
    "   AND i.retired_at IS NULL FOR UPDATE OF a",
    2,
    {BYTEAOID, TIMESTAMPTZOID},
    nullptr};

pg::Statement find_sign_out = {
    "SELECT c.sign_out_url, c.client_id, c.redirect_url"
    "  FROM aegis.session s JOIN aegis.issuer_client c"
    "    ON c.issuer_id OPERATOR(pg_catalog.=) s.issuer_id"
    " WHERE s.id OPERATOR(pg_catalog.=) $1 AND c.sign_out_url IS NOT NULL",
    1,
    {UUIDOID},
    nullptr};

pg::Statement delete_attempt = {
    "DELETE FROM aegis.issuer_attempt WHERE token_hash OPERATOR(pg_catalog.=) $1",
    1,
    {BYTEAOID},
    nullptr};

std::string_view view_of(const char *text) {
    return {text, strlen(text)};
}

bool is_cookie(const char *token) {
    return token != nullptr && core::is_token(core::TokenKind::challenge, view_of(token));
}

// In the caller's memory context.
bool find(const char *name, Client *client, MemoryContext memory) {
    Datum values[] = {CStringGetTextDatum(name)};
    if (pg::execute(find_client, values) != 1) return false;
    bool is_null;
    MemoryContext spi = MemoryContextSwitchTo(memory);
    client->id = *DatumGetUUIDP(pg::column(0, 1, &is_null));
    client->issuer = TextDatumGetCString(pg::column(0, 2, &is_null));
    client->client = TextDatumGetCString(pg::column(0, 3, &is_null));
    client->authorization = TextDatumGetCString(pg::column(0, 4, &is_null));
    client->redirect = TextDatumGetCString(pg::column(0, 5, &is_null));
    client->key = pg::varlena_view(
        PointerGetDatum(pg::copy_varlena(pg::varlena_view(pg::column(0, 6, &is_null)))));
    MemoryContextSwitchTo(spi);
    return true;
}

// One of the secrets of a flow, from the token that only its browser has.
void derive(const char *token, const char *what, const char *name,
            char (&out)[kDerivedDigits + 1]) {
    const core::ByteView parts[] = {core::as_bytes("aegis/issuer-sign-in/1 "),
                                    pg::view_of(what),
                                    core::as_bytes(" "),
                                    pg::view_of(name),
                                    core::as_bytes(" "),
                                    pg::view_of(token)};
    pg::raise(
        pg::run([&] { core::to_base64url(core::sha256(parts, lengthof(parts)).view(), out); }));
    out[kDerivedDigits] = '\0';
}

// RFC 7636 section 4.2, S256.
void challenge_of(const char *verifier, char (&out)[kDerivedDigits + 1]) {
    pg::raise(
        pg::run([&] { core::to_base64url(core::sha256(pg::view_of(verifier)).view(), out); }));
    out[kDerivedDigits] = '\0';
}

struct varlena *hash_of(const char *token) {
    struct varlena *hash = pg::alloc_varlena(core::kDigestBytes);
    core::ByteSpan out = pg::payload(hash);
    pg::raise(pg::run([&] {
        core::Digest digest = core::session_token_hash(view_of(token));
        memcpy(out.data, digest.bytes, out.size);
    }));
    return hash;
}

void append_member(StringInfo text, const char *name, const char *value) {
    static const char digits[] = "0123456789ABCDEF";
    appendStringInfo(text, "%s%s=", text->len > 0 && text->data[text->len - 1] != '?' ? "&" : "",
                     name);
    for (const char *at = value; *at != '\0'; at++) {
        auto c = static_cast<unsigned char>(*at);
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (plain || strchr("-._~", c) != nullptr)
            appendStringInfoChar(text, *at);
        else
            appendStringInfo(text, "%%%c%c", digits[c >> 4], digits[c & 15]);
    }
}

void note(const char *issuer, const char *reason) {
    charge::Order order{};
    order.kind = charge::Kind::denial;
    order.event = "auth.token_refused";
    order.target = issuer;
    order.detail = reason;
    charge::note(order);
}

// "NAME.DERIVED": the name, when the rest is this browser's.
bool read_state(const Brought &brought, char (&name)[kMaxNameBytes + 1]) {
    const char *dot = strchr(brought.state, '.');
    if (dot == nullptr || dot == brought.state ||
        static_cast<size_t>(dot - brought.state) > kMaxNameBytes)
        return false;
    memcpy(name, brought.state, dot - brought.state);
    name[dot - brought.state] = '\0';
    char wanted[kDerivedDigits + 1];
    derive(brought.token, "state", name, wanted);
    return strlen(dot + 1) == kDerivedDigits &&
           core::equal_constant_time(pg::view_of(dot + 1), pg::view_of(wanted));
}

}  // namespace

bool begin_sign_in(const char *name, Begun *begun) {
    MemoryContext memory = CurrentMemoryContext;
    Client client;
    pg::Identity before = pg::enter();
    bool found = strlen(name) <= kMaxNameBytes && find(name, &client, memory);
    pg::leave(before);
    if (!found) return false;
    size_t length = 0;
    pg::raise(pg::run(
        [&] { length = core::make_token(core::TokenKind::challenge, guc::region, begun->token); }));
    begun->token[length] = '\0';
    char state[kDerivedDigits + 1], nonce[kDerivedDigits + 1], verifier[kDerivedDigits + 1],
        challenge[kDerivedDigits + 1];
    derive(begun->token, "state", name, state);
    derive(begun->token, "nonce", name, nonce);
    derive(begun->token, "verifier", name, verifier);
    challenge_of(verifier, challenge);
    StringInfoData url;
    initStringInfo(&url);
    appendStringInfo(&url, "%s?", client.authorization);
    const char *const members[][2] = {{"response_type", "code"},
                                      {"scope", "openid"},
                                      {"client_id", client.client},
                                      {"redirect_uri", client.redirect},
                                      {"state", psprintf("%s.%s", name, state)},
                                      {"nonce", nonce},
                                      {"code_challenge", challenge},
                                      {"code_challenge_method", "S256"}};
    for (const auto &member : members) append_member(&url, member[0], member[1]);
    begun->url = url.data;
    return true;
}

Taken take_code(const Brought &brought) {
    char name[kMaxNameBytes + 1];
    if (!is_cookie(brought.token) || strlen(brought.code) > kMaxCodeBytes ||
        !read_state(brought, name)) {
        note("unknown", "state");
        return Taken::refused;
    }
    // Anybody can bring codes that no issuer gave; each keeps the agent busy, and a place.
    budget::Attempt attempt;
    budget::take(brought.ip, nullptr, &attempt);
    if (attempt.refused != nullptr) return Taken::busy;
    MemoryContext memory = CurrentMemoryContext;
    Client client;
    pg::Identity before = pg::enter();
    bool found = find(name, &client, memory);
    Taken taken = Taken::refused;
    // RFC 9207: an answer of another issuer, mixed up with this one's.
    if (found && brought.issuer != nullptr && strcmp(brought.issuer, client.issuer) != 0) {
        note(name, "issuer");
    } else if (found) {
        char nonce[kDerivedDigits + 1], verifier[kDerivedDigits + 1];
        derive(brought.token, "nonce", name, nonce);
        derive(brought.token, "verifier", name, verifier);
        StringInfoData body;
        initStringInfo(&body);
        const char *const members[][2] = {
            {"grant_type", "authorization_code"},
            {"client_id", client.client},
            {"code", brought.code},
            {"redirect_uri", client.redirect},
            {"code_verifier", verifier},
            {"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
            {"client_assertion", make_assertion(client)}};
        for (const auto &member : members) append_member(&body, member[0], member[1]);
        Datum values[] = {PointerGetDatum(hash_of(brought.token)), UUIDPGetDatum(&client.id),
                          CStringGetTextDatum(nonce),
                          PointerGetDatum(pg::copy_varlena({reinterpret_cast<uint8_t *>(body.data),
                                                            static_cast<size_t>(body.len)}))};
        pg::execute(queue_code, values);
        bool is_null;
        taken = DatumGetBool(pg::column(0, 1, &is_null)) ? Taken::waiting : Taken::busy;
    }
    pg::leave(before);
    return taken;
}

Fetched fetch_sign_in(const char *token, const sign_in::Origin &origin, sign_in::Result *result) {
    memset(result, 0, sizeof *result);
    result->outcome = sign_in::Outcome::failed;
    if (!is_cookie(token)) return Fetched::refused;
    TimestampTz now = GetCurrentTimestamp();
    pg::Identity before = pg::enter();
    Datum hash = PointerGetDatum(hash_of(token));
    Datum values[] = {hash, TimestampTzGetDatum(now)};
    Fetched fetched = Fetched::refused;
    if (pg::execute(find_attempt, values) == 1) {
        bool is_null;
        const char *state = TextDatumGetCString(pg::column(0, 1, &is_null));
        fetched = strcmp(state, "asked") == 0 ? Fetched::waiting : Fetched::refused;
        if (strcmp(state, "known") == 0) {
            pg_uuid_t tenant = *DatumGetUUIDP(pg::column(0, 2, &is_null));
            pg_uuid_t user = *DatumGetUUIDP(pg::column(0, 3, &is_null));
            bool shown = DatumGetBool(pg::column(0, 4, &is_null));
            pg_uuid_t issuer = *DatumGetUUIDP(pg::column(0, 5, &is_null));
            const char *name = TextDatumGetCString(pg::column(0, 6, &is_null));
            fetched = Fetched::answered;
            session::Session holder{};
            holder.tenant = tenant;
            holder.user = user;
            sign_in::Account account{};
            charge::set_origin(origin.ip, origin.user_agent, origin.request_id);
            int slot = charge::open({charge::Kind::signature, "auth.sign_in_abandoned", tenant,
                                     user, 0, nullptr, nullptr});
            bool may = session::verify_user(&holder) == session::Verdict::valid &&
                       sign_in::find_account(tenant, user, now, &account) && account.active;
            if (may) {
                budget::give_back(origin.ip);
                account.issuer = issuer;
                strlcpy(account.issuer_name, name, sizeof account.issuer_name);
                second_factor::State factor = second_factor::state_of(tenant, user, account.rank);
                sign_in::Due due = {};
                due.code = !shown && factor.active;
                due.enrolment = !shown && factor.required && !factor.active;
                if (due.any())
                    sign_in::challenge(account, origin, now, due, nullptr, result);
                else
                    sign_in::finish(account, origin, now, nullptr, result);
            } else {
                fetched = Fetched::refused;
            }
            charge::settle(slot);
        }
        if (fetched != Fetched::waiting) {
            Datum gone[] = {hash};
            pg::execute(delete_attempt, gone);
        }
    }
    pg::leave(before);
    return fetched;
}

// OpenID Connect RP-Initiated Logout 1.0; the state comes back to the page of the sign-in.
const char *sign_out_url(const pg_uuid_t &session, MemoryContext memory) {
    Datum values[] = {UUIDPGetDatum(&session)};
    if (pg::execute(find_sign_out, values) != 1) return nullptr;
    bool is_null;
    MemoryContext spi = MemoryContextSwitchTo(memory);
    StringInfoData url;
    initStringInfo(&url);
    appendStringInfo(&url, "%s?", TextDatumGetCString(pg::column(0, 1, &is_null)));
    append_member(&url, "client_id", TextDatumGetCString(pg::column(0, 2, &is_null)));
    append_member(&url, "post_logout_redirect_uri",
                  TextDatumGetCString(pg::column(0, 3, &is_null)));
    append_member(&url, "state", "signed_out");
    MemoryContextSwitchTo(spi);
    return url.data;
}

}  // namespace aegis::issuer
