// SPDX-License-Identifier: Apache-2.0
// Master keys, tenants' roots and derived keys. Nothing here returns key bytes to SQL. docs/key.md.
#pragma once

#include "key_page.hpp"
#include "pg/postgres.hpp"

namespace aegis::core {
class EnvelopeKey;
class Xaes;
class Key32;
}  // namespace aegis::core

namespace aegis::key {

// The key that seals or opens one field of a tenant, of the suite that its epoch has. *epoch holds
// the wanted epoch, kCurrentEpoch for writing, and is set to the one that the key belongs to. Owned
// by a per-backend cache: use it at once, keep nothing. A nil tenant means the system's own keys.
// ERROR AG004 key missing, AG005 shredded, AG014 wrong master key.
inline constexpr uint32_t kCurrentEpoch = 0;
const core::EnvelopeKey *field_cipher(const pg_uuid_t &tenant, uint32_t field, uint32_t *epoch);
// Key for personal data inside ledger entries (purpose audit).
const core::EnvelopeKey *audit_cipher(const pg_uuid_t &tenant, uint32_t *epoch);
// Key for payloads that wait in the outbox (purpose outbound).
const core::EnvelopeKey *outbound_cipher(const pg_uuid_t &tenant, uint32_t *epoch);
// Key for the secrets of services, which are the system's (purpose service).
const core::EnvelopeKey *service_cipher(uint32_t *epoch);
// Key for the keys that prove who Aegis is to issuers of tokens (purpose issuer).
const core::EnvelopeKey *issuer_cipher(uint32_t *epoch);
// Blind-index token of a normalised value of one sealed type.
void search_token(const pg_uuid_t &tenant, uint32_t type_reference, core::ByteView normalised,
                  uint8_t out[core::kTokenBytes]);
// Keyed look-up value of a sign-in name (purpose login), 32 bytes.
void login_token(const pg_uuid_t &tenant, core::ByteView normalised, uint8_t out[32]);
// Keyed digest of a body that came in (purpose body_digest), 32 bytes: it tells equal bodies, and
// nobody without the key finds out what was in one.
void body_digest(const pg_uuid_t &tenant, core::ByteView body, uint8_t out[32]);
// Cipher and id for unsealed values of this server run.
const core::Xaes *boot_cipher(core::ByteView *boot_id);

// Makes the root keys of a new tenant (nil: the system's) in aegis.tenant_key. Registers the active
// master key's check value when there is none yet. Runs SPI.
void create_tenant_keys(const pg_uuid_t &tenant);

// Reads the provider into the key page; records the fault there when it cannot. Used by the
// postmaster at start and by the launcher on SIGHUP. Never ereports above WARNING.
void load_provider();

void define();  // called from _PG_init, after region::create()

}  // namespace aegis::key
