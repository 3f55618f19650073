// SPDX-License-Identifier: Apache-2.0
// Below /api/session: signing in at an issuer. docs/issuer.md.
#include "issuer_sign_in.hpp"
#include "session_route.hpp"

namespace aegis::handle {

namespace {

// Beside the session's: who signs in elsewhere may still be signed in here.
constexpr char kSignInCookie[] = "__Host-aegis-sign-in";

void send_waiting(Exchange *exchange, int status) {
    const char *const members[][2] = {{"state", "waiting"}};
    exchange->answer.status = status;
    send_row(&exchange->answer, members, lengthof(members));
}

}  // namespace

void begin_at_issuer(Exchange *exchange) {
    Jsonb *body = read_body(exchange, kIssuerPath);
    if (body == nullptr) return;
    const char *name = member(body, "issuer");
    if (name == nullptr) {
        refuse(exchange, http::kInvalid, "issuer must be a string");
        return;
    }
    issuer::Begun begun;
    if (!issuer::begin_sign_in(name, &begun)) {
        refuse(exchange, http::kNotFound);
        return;
    }
    const char *const members[][2] = {{"url", begun.url}};
    exchange->answer.status = 200;
    send_row(&exchange->answer, members, lengthof(members));
    http::add_header(&exchange->answer, "set-cookie",
                     psprintf("%s=%s; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600",
                              kSignInCookie, begun.token));
}

void take_issuer_code(Exchange *exchange) {
    Jsonb *body = read_body(exchange, kIssuerCodePath);
    if (body == nullptr) return;
    issuer::Brought brought = {http::cookie(exchange->headers, kSignInCookie), member(body, "code"),
                               member(body, "state"), member(body, "iss"), exchange->peer};
    if (brought.code == nullptr || brought.state == nullptr) {
        refuse(exchange, http::kInvalid, "code and state must be strings");
        return;
    }
    issuer::Taken taken = issuer::Taken::refused;
    auto take = [&] { taken = issuer::take_code(brought); };
    if (!run_attempt(exchange, "code of an issuer", take)) return;
    if (taken == issuer::Taken::waiting) {
        send_waiting(exchange, 202);
    } else if (taken == issuer::Taken::busy) {
        refuse(exchange, http::kBusy);
        http::add_header(&exchange->answer, "retry-after", "5");
    } else {
        refuse(exchange, http::kTokenInvalid);
    }
}

void fetch_issuer_result(Exchange *exchange) {
    Jsonb *body = read_body(exchange, kIssuerResultPath);
    if (body == nullptr) return;
    issuer::Fetched fetched = issuer::Fetched::refused;
    sign_in::Result result;
    const char *token = http::cookie(exchange->headers, kSignInCookie);
    auto fetch = [&] { fetched = issuer::fetch_sign_in(token, origin_of(*exchange), &result); };
    if (!run_attempt(exchange, "sign-in at an issuer", fetch)) return;
    if (fetched == issuer::Fetched::waiting)
        send_waiting(exchange, 200);
    else if (fetched == issuer::Fetched::answered)
        send_result(exchange, result, http::kTokenInvalid, wants_token(body));
    else
        refuse(exchange, http::kTokenInvalid);
}

}  // namespace aegis::handle
