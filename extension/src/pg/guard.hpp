// SPDX-License-Identifier: Apache-2.0
// The only place where C++ exceptions meet PostgreSQL's longjmp.
//
//   raise(run([&] { core::...; }));
//
// run() turns any exception into a value; raise() turns that value into an ERROR once every C++
// object is gone. The body of run() must not call PostgreSQL; code outside it must not keep an
// object with a destructor alive.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::pg {

struct Report {  // trivially destructible: may be alive when ereport jumps
    bool failed;
    int sqlstate;
    const char *message;
    const char *detail;
    const char *hint;
    char text[256];  // only its first byte is set when nothing failed
};
static_assert(std::is_trivially_destructible_v<Report>);

// The row of the error table (report.cpp) that belongs to a core error.
Report report_of(const core::Error &error) noexcept;

template <typename Body>
Report run(Body &&body) noexcept {
    Report r;
    r.failed = false;
    r.sqlstate = 0;
    r.message = r.detail = r.hint = nullptr;
    r.text[0] = '\0';
    try {
        std::forward<Body>(body)();
        return r;
    } catch (const core::Error &e) {
        r = report_of(e);
    } catch (const std::bad_alloc &) {
        r.sqlstate = ERRCODE_OUT_OF_MEMORY;
        r.message = "out of memory";
    } catch (const std::exception &e) {
        r.sqlstate = ERRCODE_INTERNAL_ERROR;
        strlcpy(r.text, e.what(), sizeof r.text);
    } catch (...) {
        r.sqlstate = ERRCODE_INTERNAL_ERROR;
        r.message = "unrecognized C++ exception";
    }
    r.failed = true;
    return r;
}

inline void raise(const Report &r) {
    if (r.failed)
        ereport(ERROR,
                (errcode(r.sqlstate), errmsg("%s", r.message ? r.message : r.text),
                 r.detail ? errdetail("%s", r.detail) : 0, r.hint ? errhint("%s", r.hint) : 0));
}

}  // namespace aegis::pg
