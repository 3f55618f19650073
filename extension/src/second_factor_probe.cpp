// SPDX-License-Identifier: Apache-2.0
// The authenticator of the regression tests: which code an app would show.
#ifdef AEGIS_TESTING
#include "core/totp.hpp"

#include "pg/function.hpp"

namespace {

// RFC 4648 section 6, of well-formed digits.
void read_base32(const char *digits, aegis::core::ByteSpan out) {
    uint32_t held = 0;
    int bits = 0;
    size_t at = 0;
    for (const char *c = digits; *c != '\0' && at < out.size; c++) {
        held = held << 5 | static_cast<uint32_t>(*c >= 'A' ? *c - 'A' : *c - '2' + 26);
        bits += 5;
        if (bits >= 8) out.data[at++] = static_cast<uint8_t>(held >> (bits -= 8));
    }
}

}  // namespace

// (secret text, step bigint) returns text
AEGIS_FUNCTION(aegis_probe_totp) {
    uint8_t secret[aegis::core::kTotpSecretBytes] = {};
    read_base32(text_to_cstring(PG_GETARG_TEXT_PP(0)), secret);
    uint32_t code = 0;
    int64 step = PG_GETARG_INT64(1);
    aegis::pg::raise(
        aegis::pg::run([&] { code = aegis::core::hotp(secret, static_cast<uint64_t>(step)); }));
    PG_RETURN_TEXT_P(cstring_to_text(psprintf("%06u", code)));
}
#endif
