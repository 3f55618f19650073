// SPDX-License-Identifier: Apache-2.0
// One request on its way through aegis.handle. docs/route.md.
#pragma once

#include "credential.hpp"
#include "problem.hpp"
#include "route.hpp"
#include "service.hpp"
#include "session.hpp"
#include "tenant_home.hpp"

namespace aegis::handle {

struct Exchange {
    // The request; texts may be nullptr when the gateway left them out.
    const char *method;
    const char *raw_target;  // as sent
    const char *peer;
    const char *user_agent;
    const char *request_id;
    core::ByteView body;
    http::Target target;
    http::Headers headers;
    http::Credential credential;
    // What became of it.
    session::Session session;  // once authenticated by one
    service::Service service;  // once authenticated by a signature
    int16 rank;
    bool withheld;  // the route: a refusal is the system's to know
    http::Answer answer;
};

// Replaces the answer by a problem.
void refuse(Exchange *exchange, const http::Problem &problem, const char *detail = nullptr);
// 410 or 421 of a tenant that lives in this region instead.
void refuse_elsewhere(Exchange *exchange, bool moved, const char *region);
// Verifies a session's token, fixes the context, and checks that a browser's request is our own
// page's. False: the answer says why.
bool authenticate(Exchange *exchange, const char *path);
// The same for the signature of a service, which must have the scope.
bool authenticate_service(Exchange *exchange, const char *path, const char *scope);
// The same for the signature of a payment provider, over the body as it came.
bool authenticate_webhook(Exchange *exchange, const route::Match &match);
// The same for the token of a link, which must open this kind of thing.
bool authenticate_link(Exchange *exchange, const char *kind);
// Whether a tenant that a request names by itself lives here; else the answer says where.
bool is_at_home(Exchange *exchange, const pg_uuid_t &tenant, tenant::Home *home);
// 403, charged and recorded, in the system's log where the route is withheld. The path is a
// template or a built-in's: no ids of the caller's.
void deny(Exchange *exchange, const http::Problem &problem, const char *path, const char *reason);
// True when the body may be read as JSON (empty counts); else the answer says why.
bool accept_body(Exchange *exchange, size_t limit);
// Parses the body, or nullptr when it is empty or the answer says what is wrong.
Jsonb *parse_body(Exchange *exchange);

// Runs the handler as aegis_member and answers with what it returned or how it failed.
void call_handler(Exchange *exchange, const route::Match &match);

// Writes the event that the route names, if any, with what became of the call; charged: its charge,
// or -1.
void record_event(const Exchange &exchange, const route::Route &route, int charged);

// What a handler returned, an aegis.response, as an answer; ERROR when it must not be sent.
void read_answer(Datum response, http::Answer *answer);
[[noreturn]] void reject_answer(const char *reason);

// The built-in routes: /api/session and those below it.
bool is_session_route(const char *path);
void answer_session(Exchange *exchange);
// Those that the gateway answers from memory: the health and the metrics of the service.
bool is_watch_route(const char *path);

}  // namespace aegis::handle
