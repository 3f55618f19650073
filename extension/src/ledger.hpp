// SPDX-License-Identifier: Apache-2.0
// Appends entries. An entry is written at once, without any lock, in the transaction that it
// describes; the sealer chains it after commit. docs/ledger.md.
#pragma once

#include "core/entry.hpp"
#include "pg/postgres.hpp"

namespace aegis::ledger {

struct Event {         // views and PODs only
    const char *type;  // must be declared in the catalogue
    core::Outcome outcome = core::Outcome::success;
    const pg_uuid_t *tenant = nullptr;   // nullptr: the context's, or none
    const pg_uuid_t *user = nullptr;     // nullptr: the context's
    const pg_uuid_t *session = nullptr;  // nullptr: the context's
    const char *target_kind = nullptr;
    const char *target_id = nullptr;
    core::ByteView detail;  // encoded CBOR map, empty for none
    core::ByteView image;   // encoded CBOR map, empty for none
    // Origin when there is no context (sign-in) or it is another's (a collected charge).
    const char *ip = nullptr;
    const char *user_agent = nullptr;
    const char *request_id = nullptr;
    const char *session_user = nullptr;
    bool of_another = false;  // this connection is not where it happened
    int64_t unix_micros = 0;  // 0: now
    // Written whatever aegis.seal_lag_limit says: statements that mend a sealer must not fail.
    bool even_when_lagging = false;
};

struct Written {  // what became of an event: its number, and its bytes in the current context
    int64 seq;
    core::ByteView body;
};

// Writes one entry with a direct insert: no rights, rules or triggers of the caller interfere.
// Works in read-only transactions and in XACT_EVENT_PRE_COMMIT. May ereport. In restore mode
// nothing is written, and `written` stays as it was.
void append(const Event &event, Written *written = nullptr);

// Seals personal data of a tenant (nil: the system's) for an entry, under the audit key, into the
// first bytes of a room of personal_room() at least; returns how many. Which suite the newest epoch
// has is known only when the key is in hand. ERROR AG004 while the key is missing.
size_t personal_room(size_t plaintext_bytes);
size_t seal_personal(const pg_uuid_t &tenant, core::ByteView plaintext, core::ByteSpan room);

// Microseconds since 1970-01-01 UTC.
int64_t unix_micros(TimestampTz time);

// Writes details as an encoded map into buffer, in canonical order. Keys differ.
struct DetailPair {
    const char *key;
    const char *text;  // nullptr: use number
    int64_t number;
};
core::ByteView encode_detail(const DetailPair *pairs, int count, core::ByteSpan buffer);

void define();

}  // namespace aegis::ledger
