// SPDX-License-Identifier: Apache-2.0
#include "charge.hpp"
#include "context.hpp"
#include "demo.hpp"
#include "field.hpp"
#include "guc.hpp"
#include "hook.hpp"
#include "key.hpp"
#include "label.hpp"
#include "ledger.hpp"
#include "ledger_guard.hpp"
#include "openapi.hpp"
#include "pg/compat.hpp"
#include "pooler.hpp"
#include "region.hpp"
#include "role.hpp"
#include "route.hpp"
#include "wall.hpp"
#include "worker.hpp"

extern "C" {

PG_MODULE_MAGIC;

AEGIS_EXPORT void _PG_init(void);

static int server_version() {
#ifdef AEGIS_TESTING
    // Lets a test see the refusal without an old server.
    if (const char *pretended = getenv("AEGIS_TEST_SERVER_VERSION"))
        return pg_strtoint32(pretended);
#endif
    return pg_strtoint32(GetConfigOption("server_version_num", false, false));
}

void _PG_init(void) {
    // Loaded late, the context could be poisoned first and the walls would not stand.
    if (!process_shared_preload_libraries_in_progress)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("aegis must be loaded via shared_preload_libraries"),
                 errhint("Add \"aegis\" to shared_preload_libraries and restart the server.")));

    if (server_version() < aegis::pg::kMinimumServerVersion)
        ereport(FATAL, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("aegis needs PostgreSQL %d.%d or newer, this is %s",
                               aegis::pg::kMinimumServerVersion / 10000,
                               aegis::pg::kMinimumServerVersion % 10000,
                               GetConfigOption("server_version", false, false)),
                        errdetail("Older minor releases have known row-security leaks."),
                        errhint("Update PostgreSQL to its newest minor release.")));

    aegis::guc::define();
    aegis::guc::tighten();
    aegis::region::create();
    aegis::demo::check();
    aegis::role::define();
    aegis::context::define();
    aegis::key::define();
    aegis::field::define();
    aegis::ledger::define();
    aegis::charge::define();
    aegis::wall::define();
    aegis::ledger_guard::define();
    aegis::pooler::define();
    aegis::route::define();
    aegis::openapi::define();
    // pg_upgrade makes the objects one by one, alone with its server, whom only a superuser
    // reaches: the walls would refuse them, and the worker would write.
    if (IsBinaryUpgrade) {
        aegis::label::expect();
    } else {
        aegis::worker::define();
        aegis::hook::install();
    }
    MarkGUCPrefixReserved("aegis");
}

}  // extern "C"
