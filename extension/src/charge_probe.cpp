// SPDX-License-Identifier: Apache-2.0
// For tests alone: SQL access to charges, without the sign-ins and reveals that make them. Compiled
// only with AEGIS_TESTING; no install script names these functions.
#ifdef AEGIS_TESTING

#include "charge.hpp"
#include "pg/function.hpp"

using namespace aegis;

// (kind int, event text, tenant uuid, user uuid, target text) returns the slot
AEGIS_FUNCTION(aegis_test_charge_open) {
    charge::Order order = {};
    order.kind = static_cast<charge::Kind>(PG_GETARG_INT32(0));
    order.event = text_to_cstring(PG_GETARG_TEXT_PP(1));
    order.tenant = *PG_GETARG_UUID_P(2);
    order.user = *PG_GETARG_UUID_P(3);
    order.target = text_to_cstring(PG_GETARG_TEXT_PP(4));
    PG_RETURN_INT32(charge::open(order));
}

// (slot int)
AEGIS_FUNCTION(aegis_test_charge_settle) {
    charge::settle(PG_GETARG_INT32(0));
    PG_RETURN_VOID();
}

// (tenant uuid, field bigint, values bigint) returns values
AEGIS_FUNCTION(aegis_test_charge_reveal) {
    charge::count_reveal(*PG_GETARG_UUID_P(0), static_cast<uint32_t>(PG_GETARG_INT64(1)),
                         static_cast<uint64_t>(PG_GETARG_INT64(2)));
    PG_RETURN_INT64(PG_GETARG_INT64(2));
}

// (user uuid, except int)
AEGIS_FUNCTION(aegis_test_charge_pending) {
    PG_RETURN_INT32(charge::pending_sign_ins(*PG_GETARG_UUID_P(0), PG_GETARG_INT32(1)));
}

// (ip text, user_agent text, request_id text)
AEGIS_FUNCTION(aegis_test_charge_origin) {
    charge::set_origin(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)),
                       text_to_cstring(PG_GETARG_TEXT_PP(2)));
    PG_RETURN_VOID();
}

#endif
