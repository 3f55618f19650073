// SPDX-License-Identifier: Apache-2.0
// For tests only: makes a tenant's keys and compares derived values without showing any.
#ifdef AEGIS_TESTING

#include "core/brought_key.hpp"
#include "core/envelope_key.hpp"
#include "key.hpp"

#include "pg/function.hpp"
#include "pg/subtransaction.hpp"
#include "pg/wiping.hpp"

AEGIS_FUNCTION(aegis_probe_create_keys) {
    aegis::key::create_tenant_keys(*PG_GETARG_UUID_P(0));
    PG_RETURN_VOID();
}

// Whether a secret on the stack is gone after an error, and that it was there before.
AEGIS_FUNCTION(aegis_probe_wiping) {
    uint8_t secret[32];
    bool was_there = false, is_gone = true;
    auto fail = [&] {
        aegis::pg::wiping(secret, [&] {
            memset(secret, 0xa5, sizeof secret);
            was_there = true;
            ereport(ERROR, (errcode(ERRCODE_RAISE_EXCEPTION), errmsg("probe")));
        });
    };
    const ErrorData *error = aegis::pg::try_in_subtransaction(fail);
    for (volatile uint8_t &byte : secret) is_gone = is_gone && byte == 0;
    PG_RETURN_BOOL(error != nullptr && was_there && is_gone);
}

AEGIS_FUNCTION(aegis_probe_login_token) {
    uint8_t token[32];
    aegis::key::login_token(*PG_GETARG_UUID_P(0), aegis::pg::varlena_view(PG_GETARG_DATUM(1)),
                            token);
    PG_RETURN_BYTEA_P(aegis::pg::copy_varlena(token));
}

AEGIS_FUNCTION(aegis_probe_audit_epoch) {
    uint32_t epoch = aegis::key::kCurrentEpoch;
    aegis::key::audit_cipher(*PG_GETARG_UUID_P(0), &epoch);
    PG_RETURN_INT32(static_cast<int32>(epoch));
}

// What aegis-keygen --tenant-key makes, also of a key that it would refuse: (tenant, recipient,
// root).
AEGIS_FUNCTION(aegis_probe_seal_key) {
    aegis::core::BroughtKey key;
    char text[160] = {};
    aegis::core::ByteView tenant = aegis::pg::view_of(*PG_GETARG_UUID_P(0)),
                          recipient = aegis::pg::varlena_view(PG_GETARG_DATUM(1)),
                          root = aegis::pg::varlena_view(PG_GETARG_DATUM(2));
    aegis::pg::raise(aegis::pg::run([&] {
        aegis::core::hpke_seal(recipient, aegis::core::as_bytes("aegis/tenant-root/1"), tenant,
                               root, key.encapsulated, key.sealed);
        memcpy(key.recipient, recipient.data, sizeof key.recipient);
        const std::string made = aegis::core::format_brought_key(key);
        memcpy(text, made.data(), made.size());
    }));
    PG_RETURN_TEXT_P(cstring_to_text(text));
}

#endif
