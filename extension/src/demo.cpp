// SPDX-License-Identifier: Apache-2.0
// A server that refuses to start has no ledger to write to: it leaves a file, and the next start
// writes the entry.
#include "demo.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "guc.hpp"
#include "pg/function.hpp"
#include "region.hpp"

namespace aegis::demo {

namespace {

constexpr char kMark[] = "aegis_demo_refused";  // in the data directory, where servers run

bool is_wanted() {
    const char *variable = getenv("AEGIS_DEMO");
    return guc::demo || (variable != nullptr && strcmp(variable, "1") == 0);
}

}  // namespace

void check() {
    if (is_wanted() && strcmp(guc::environment, "production") == 0) {
        int file = open(kMark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        bool marked = file >= 0 && fsync(file) == 0;
        if (file >= 0) close(file);
        if (!marked)
            ereport(WARNING, (errmsg("could not leave a note of the refusal for the ledger: %m")));
        ereport(FATAL,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("demo mode is refused in production"),
                 errdetail("aegis.environment is \"production\", and %s.",
                           guc::demo ? "aegis.demo is on" : "the variable AEGIS_DEMO is 1"),
                 errhint("Switch demo mode off, or set aegis.environment = 'development' on a "
                         "server that holds nobody's data.")));
    }
    guc::demo = is_wanted();
    if (unlink(kMark) == 0) region::state()->demo_refused.store(1);
}

}  // namespace aegis::demo

AEGIS_FUNCTION(aegis_is_demo) {
    PG_RETURN_BOOL(aegis::guc::demo);
}
