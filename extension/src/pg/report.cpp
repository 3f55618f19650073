// SPDX-License-Identifier: Apache-2.0
// Texts and SQLSTATEs of core's errors. Core knows no SQLSTATE; the shell knows no other texts.
#include "pg/guard.hpp"
#include "pg/report.hpp"

namespace aegis::pg {

Report report_of(const core::Error &error) noexcept {
    Report r{};
    r.failed = true;
    r.message = error.message;
    switch (error.code) {
        case core::Code::invalid_argument:
            r.sqlstate = ERRCODE_INVALID_PARAMETER_VALUE;
            break;
        case core::Code::malformed:
            r.sqlstate = ERRCODE_INVALID_TEXT_REPRESENTATION;
            break;
        case core::Code::too_long:
            r.sqlstate = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
            break;
        case core::Code::cannot_open:
            // One text for every cause, so that the error is no oracle.
            r.sqlstate = AEGIS_ERRCODE_CANNOT_OPEN;
            r.message = "cannot open sealed value";
            r.detail = "The value, its key or its context does not match.";
            break;
        case core::Code::crypto_failure:
            r.sqlstate = ERRCODE_EXTERNAL_ROUTINE_EXCEPTION;
            break;
    }
    return r;
}

}  // namespace aegis::pg
