// SPDX-License-Identifier: Apache-2.0
// Derived keys of this backend: a small set-associative table in locked memory that no core dump
// and no child sees. Emptied when the shared generation moves, when aegis.tenant_key changes shape,
// and at exit. docs/key.md.
#pragma once

#include "core/envelope_key.hpp"
#include "core/kdf.hpp"
#include "pg/postgres.hpp"

namespace aegis::core {
class HmacKey;
}  // namespace aegis::core

namespace aegis::key_cache {

struct Entry {
    uint64_t used;  // 0: empty; larger is more recent
    pg_uuid_t tenant;
    core::Purpose purpose;
    uint32_t asked_epoch;
    uint32_t reference;
    uint32_t epoch;
    bool frozen;                   // of an index root: what is searched by must not be written
    core::Suite suite;             // of a root: what is sealed under it
    core::EnvelopeKey *cipher;     // of Form::cipher and Form::wrap
    core::HmacKey *search;         // of Form::search
    uint8_t key[core::kKeyBytes];  // of Form::bytes
};

// What a key is kept as: ready for what it is used for (values, in the suite of their root; other
// keys, which are always wrapped in suite 1; search), or the key itself.
enum class Form { cipher, wrap, search, bytes };

// The derived key, from the cache or from the tenant's root. Valid until the next call. Errors as
// key::load_root().
const Entry *derive(const pg_uuid_t &tenant, core::Purpose purpose, uint32_t epoch,
                    uint32_t reference, Form form);

// The tenant's root of an epoch: its `key` and `epoch`. As derive().
const Entry *tenant_root(const pg_uuid_t &tenant, uint32_t epoch);

// Zeroed memory for keys, which no core dump and no child sees; never freed.
void *locked_memory(size_t bytes);

// Whether the tenant's searchable fields must not be written now. Errors as key::load_root().
bool search_is_frozen(const pg_uuid_t &tenant);

// The current transaction made root keys: should it abort, what was derived from them is dropped.
void expect_abort();
// Drops everything at the next use.
void forget();
// The same for a change that others must know: once it is committed, every session drops what it
// derived before it uses the next key, in the midst of a statement too, and keeps nothing while the
// commit is under way. Such a transaction cannot be prepared.
void announce_change();
// Changes whenever the cache was emptied, so that what was computed from a key can be dropped too.
uint64_t version();

void define();  // callbacks; called from key::define

}  // namespace aegis::key_cache
