// SPDX-License-Identifier: Apache-2.0
// Whom a mail is for: the address of a sealed value, for functions of Aegis that queue mail. Nobody
// sees it, so the reveal policy is not asked. docs/mail.md.
#include "field.hpp"
#include "pg/function.hpp"
#include "role.hpp"

using namespace aegis;

// (value aegis.sealed_email, tenant uuid) → text
AEGIS_FUNCTION(aegis_mail_address) {
    if (GetUserId() != role::owner())
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("only aegis_owner opens the address of a mail"),
                        errhint("Call aegis.queue_mail().")));
    core::ByteView value = pg::varlena_view(PG_GETARG_DATUM(0));
    core::ByteSpan address;
    if (!sealed::is_envelope(value)) {
        address = sealed::open_unsealed(value);
    } else {
        core::EnvelopeParts parts = sealed::parse(value);
        const field::Field *field = field::find(parts.header.field);
        if (field == nullptr || (parts.header.flags & (core::kFlagRowBound | core::kFlagSubject)))
            field::cannot_open();
        address = field::open(*PG_GETARG_UUID_P(1), *field, value, field::Bond());
    }
    text *result = cstring_to_text_with_len(reinterpret_cast<const char *>(address.data),
                                            static_cast<int>(address.size));
    sealed::discard(address);
    PG_RETURN_TEXT_P(result);
}
