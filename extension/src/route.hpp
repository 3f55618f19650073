// SPDX-License-Identifier: Apache-2.0
// The routes: which function answers which method and path, and for whom. docs/route.md.
#pragma once

#include "http_target.hpp"

namespace aegis::route {

// Bits.
enum Credentials : uint8_t { kSession = 1, kService = 2, kWebhook = 4, kToken = 8, kLink = 16 };

struct Route {
    const char *method;
    const char *path;  // template: "/api/customers/{id}"
    http::Pair
        segments[http::kMaxSegments];  // name: parameter or nullptr; value: literal or nullptr
    int segment_count;
    Oid handler;
    int16 minimum_rank;
    bool is_public;
    int body_limit;
    uint8_t credentials;
    const char *scope;  // that a service needs, or what links must open; nullptr for others
    int step_up;        // seconds for which a confirmation holds; 0: none is asked for
    bool idempotent;    // an Idempotency-Key is demanded
    const char *event;  // nullptr: the route's calls are not events by themselves
    bool withheld;      // it, or its event: the tenant's log must not tell that it was called
    // Of a route that is forwarded: whose signature, to which address with what path; else nullptr.
    const char *upstream, *service, *address, *forward_path;
};

struct Match {
    const Route *route;  // lives until the next find()
    http::Pair parameters[http::kMaxSegments];
    int parameter_count;
    const char *allow;  // methods of the path when only the method did not match, else nullptr
};

// Looks the route up in a cache of this backend that follows the table. GET answers HEAD as well.
void find(const char *method, const http::Target &target, Match *match);

// Whether a function may be a handler now: (aegis.request) returns aegis.response, SECURITY
// INVOKER, executable by aegis_member. The reason when not, else nullptr.
const char *unfitness(Oid handler);
// How to call a fit handler while the search_path is pg::kPinnedPath: one that sets nothing else
// has its language called at once, for PostgreSQL would set the same again, at the price of a small
// handler.
void find_call(Oid handler, FmgrInfo *function);
// Row types of a handler's argument and result, and of what aegis.handle makes of it.
Oid request_type();
Oid response_type();
Oid answer_type();

void define_fitness();
void define();  // cache invalidation; called from _PG_init

}  // namespace aegis::route
