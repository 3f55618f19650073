// SPDX-License-Identifier: Apache-2.0
#include "core/note.hpp"

#include "guc.hpp"

#include "pg/compat.hpp"
#include "pg/guard.hpp"
#include "pooler.hpp"

namespace aegis::guc {

char *region = nullptr;
char *environment = nullptr;
char *key_provider = nullptr;
bool demo = false;
bool sign_up = false;
char *public_address = nullptr;
bool restrictive_wall = true;
bool default_deny = true;
bool statement_guard = true;
bool function_guard = true;
bool ledger_guard = true;
int pooler = pooler::none;
bool restore_mode = false;
int seal_interval_ms = 200;
int seal_lag_limit_ms = 0;
char *signer = nullptr;
char *ledger_origin = nullptr;
char *ledger_key = nullptr;
int checkpoint_interval_ms = 10000;
int outbox_patience_seconds = 900;
int coverage_interval_seconds = 3600;
int reseal_rate = 10000;
int password_memory_kib = 19456;
int password_iterations = 2;
int password_concurrency = 0;
char *breached_passwords = nullptr;
int lock_failures = 10;
int lock_seconds = 1800;
int network_failures = 60;
int tenant_failures = 600;
int signature_window_seconds = 300;
int session_idle_seconds = 1800;
int session_lifetime_seconds = 43200;
int step_up_seconds = 900;
int bulk_reveal = 5000;
int request_timeout_ms = 8000;
int operator_time_box = 900;
int operator_time_box_limit = 3600;
int transaction_timeout = 900;
int tenant_statement_timeout_ms = 60000;
int tenant_lock_timeout_ms = 10000;
int tenant_idle_timeout_ms = 300000;
int tenant_requests = 0;
int tenant_rows = 0;

namespace {

constexpr size_t kSocketPathBytes = 108;  // sockaddr_un.sun_path
constexpr int kOriginBytes = 100;

const struct config_enum_entry poolers[] = {{"none", pooler::none, false},
                                            {"transaction", pooler::transaction, false},
                                            {"tracking", pooler::tracking, false},
                                            {nullptr, 0, false}};

bool check_region(char **value, void **, GucSource) {
    size_t length = strlen(*value);
    bool valid = length >= 1 && length <= 16;
    for (size_t i = 0; valid && i < length; i++) {
        char c = (*value)[i];
        valid = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    if (!valid) GUC_check_errdetail("A region is 1 to 16 characters of A-Z, 0-9 and \"_\".");
    return valid;
}

bool check_environment(char **value, void **, GucSource) {
    bool valid = strcmp(*value, "production") == 0 || strcmp(*value, "development") == 0;
    if (!valid) GUC_check_errdetail("Valid values are \"production\" and \"development\".");
    return valid;
}

bool check_path(char **value, void **, GucSource) {
    bool valid = **value == '\0' || **value == '/';
    if (!valid) GUC_check_errdetail("A file is named by its absolute path.");
    return valid;
}

// It stands before paths and goes out by mail: an origin, nothing more.
bool check_public_address(char **value, void **, GucSource) {
    size_t length = strlen(*value);
    bool valid = length == 0 || (length <= 255 && strncmp(*value, "https://", 8) == 0);
    for (const char *c = *value + (length > 8 ? 8 : length); valid && *c != '\0'; c++)
        valid =
            (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || strchr(".-:[]", *c) != nullptr;
    if (!valid || length == 8) {
        GUC_check_errdetail(
            "An address is https://HOST or https://HOST:PORT in lower case, without a path.");
        return false;
    }
    return true;
}

bool check_signer(char **value, void **, GucSource) {
    bool valid = **value == '\0' || (**value == '/' && strlen(*value) < kSocketPathBytes);
    if (!valid)
        GUC_check_errdetail("A signer is the absolute path of its socket, of at most %d bytes.",
                            static_cast<int>(kSocketPathBytes) - 1);
    return valid;
}

// What names a log also names a key in a signed note: neither bears spaces or "+".
bool check_origin(char **value, void **, GucSource) {
    bool valid = strlen(*value) <= kOriginBytes;
    for (const char *c = *value; valid && *c != '\0'; c++)
        valid = *c > ' ' && *c != '+' && *c < 0x7f;
    if (!valid)
        GUC_check_errdetail(
            "An origin is at most %d printable ASCII characters, without spaces and \"+\".",
            kOriginBytes);
    return valid;
}

bool check_key(char **value, void **, GucSource) {
    if (**value == '\0') return true;
    const char *text = *value;
    bool is_log_key = false;
    pg::Report report = pg::run(
        [&] { is_log_key = core::parse_note_key(text).type == core::NoteKeyType::ed25519; });
    bool valid = !report.failed && is_log_key;
    if (!valid) GUC_check_errdetail("A key is what \"aegis-signer key\" prints: name+id+base64.");
    return valid;
}

void define_wall(const char *name, const char *description, bool *storage, bool on) {
    DefineCustomBoolVariable(
        name, description, "For emergencies; recorded in the ledger at start.", storage, on,
        PGC_POSTMASTER, GUC_DISALLOW_IN_AUTO_FILE | GUC_SUPERUSER_ONLY, nullptr, nullptr, nullptr);
}

void define_signing(const char *name, const char *description, char **storage,
                    GucStringCheckHook check) {
    DefineCustomStringVariable(name, description, nullptr, storage, "", PGC_SIGHUP,
                               GUC_DISALLOW_IN_AUTO_FILE, check, nullptr, nullptr);
}

void define_int(const char *name, const char *description, int *storage, int value, int low,
                int high, GucContext context, int unit) {
    DefineCustomIntVariable(name, description, nullptr, storage, value, low, high, context, unit,
                            nullptr, nullptr, nullptr);
}

// Passwords and tokens are bound parameters: they stay out of the server log unless somebody asks
// for them. The default is changed along with the value, so that a line taken out of the
// configuration file ends in it as well.
void keep_parameters_out_of_log(const char *name) {
    struct config_generic *setting = pg::find_setting(name);
    if (setting == nullptr || setting->vartype != PGC_INT) return;
    reinterpret_cast<struct config_int *>(setting)->boot_val = 0;
    SetConfigOption(name, "0", PGC_POSTMASTER, PGC_S_DYNAMIC_DEFAULT);
    if (strcmp(GetConfigOption(name, false, false), "0") != 0)
        ereport(
            WARNING,
            (errmsg("\"%s\" is not 0", name),
             errdetail(
                 "Passwords and session tokens are parameters of statements, and statements may be "
                 "logged with them."),
             errhint("Set it to 0 in the configuration file, or remove it.")));
}

// Plans tell how many rows other tenants have, so nobody may ask for them with a setting of the
// connection, where the statement guard is not asked.
void reserve_for_superusers(const char *name) {
    struct config_generic *setting = pg::find_setting(name);
    if (setting != nullptr && setting->context == PGC_USERSET) setting->context = PGC_SUSET;
}

}  // namespace

void tighten() {
    keep_parameters_out_of_log("log_parameter_max_length");
    keep_parameters_out_of_log("log_parameter_max_length_on_error");
    for (const char *name : {"debug_print_parse", "debug_print_rewritten", "debug_print_plan"})
        reserve_for_superusers(name);
}

void define() {
    DefineCustomStringVariable("aegis.region", "Region whose tenants this cluster holds.", nullptr,
                               &region, "LOCAL", PGC_POSTMASTER, GUC_DISALLOW_IN_AUTO_FILE,
                               check_region, nullptr, nullptr);
    DefineCustomStringVariable("aegis.environment", "production or development.", nullptr,
                               &environment, "production", PGC_POSTMASTER,
                               GUC_DISALLOW_IN_AUTO_FILE, check_environment, nullptr, nullptr);
    DefineCustomStringVariable("aegis.key_provider", "Where the master keys come from.",
                               "file:PATH, command:PATH ARG... or, for development, env:NAME.",
                               &key_provider, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, nullptr, nullptr,
                               nullptr);

    DefineCustomBoolVariable("aegis.demo", "Shows sample logins; refused in production.", nullptr,
                             &demo, false, PGC_POSTMASTER, GUC_DISALLOW_IN_AUTO_FILE, nullptr,
                             nullptr, nullptr);
    DefineCustomBoolVariable("aegis.sign_up", "Lets anybody sign an organisation up.",
                             "It also needs aegis.public_address.", &sign_up, false, PGC_SIGHUP, 0,
                             nullptr, nullptr, nullptr);
    // Not the Host of a request: whoever asks for a mail must not choose where its link leads.
    DefineCustomStringVariable(
        "aegis.public_address", "Where people reach the console: https://HOST.",
        "Links in mails begin with it; empty: no mail with a link is sent.", &public_address, "",
        PGC_SIGHUP, GUC_DISALLOW_IN_AUTO_FILE, check_public_address, nullptr, nullptr);

    define_wall("aegis.restrictive_wall",
                "Adds the tenant predicate to every table with row security.", &restrictive_wall,
                true);
    define_wall("aegis.default_deny", "Refuses unprotected relations to tenant sessions.",
                &default_deny, true);
    define_wall("aegis.statement_guard", "Refuses statements that leak to tenant sessions.",
                &statement_guard, true);
    define_wall("aegis.function_guard", "Refuses functions that leak to tenant sessions.",
                &function_guard, true);
    define_wall("aegis.ledger_guard", "Refuses every change of ledger tables.", &ledger_guard,
                true);
    define_wall("aegis.restore_mode", "Lets a restore fill empty ledger tables.", &restore_mode,
                false);

    // For single logins by ALTER ROLE, never by themselves.
    DefineCustomEnumVariable("aegis.pooler", "What stands between the clients and a login.",
                             "A pooler in transaction mode gives a connection to another client "
                             "after each transaction.",
                             &pooler, pooler::none, poolers, PGC_SUSET, 0, nullptr, nullptr,
                             nullptr);

    define_int("aegis.seal_interval", "Time between two passes of the sealer.", &seal_interval_ms,
               200, 10, 60000, PGC_SIGHUP, GUC_UNIT_MS);
    define_int("aegis.seal_lag_limit", "Audited writes fail when sealing lags longer; 0 never.",
               &seal_lag_limit_ms, 0, 0, 86400000, PGC_SIGHUP, GUC_UNIT_MS);

    // Whoever may bend these in SQL could have another history signed, or none.
    define_signing("aegis.signer", "Socket of the process that signs checkpoints; empty: none.",
                   &signer, check_signer);
    define_signing("aegis.ledger_origin", "Name of this cluster's ledgers, before the database's.",
                   &ledger_origin, check_origin);
    define_signing("aegis.ledger_key", "Key that signs checkpoints: name+id+base64.", &ledger_key,
                   check_key);
    define_int("aegis.checkpoint_interval", "Least time between two signed checkpoints.",
               &checkpoint_interval_ms, 10000, 100, 3600000, PGC_SIGHUP, GUC_UNIT_MS);

    define_int("aegis.coverage_interval",
               "Time between two looks at which tables the ledger captures; 0 never.",
               &coverage_interval_seconds, 3600, 0, 604800, PGC_SIGHUP, GUC_UNIT_S);

    define_int("aegis.outbox_patience",
               "How long outbound work may be due before health and coverage report it.",
               &outbox_patience_seconds, 900, 10, 86400, PGC_SIGHUP, GUC_UNIT_S);

    define_int("aegis.reseal_rate", "Rows that a reseal job seals anew per second; 0 no limit.",
               &reseal_rate, 10000, 0, 10000000, PGC_SIGHUP, 0);

    define_int("aegis.password_memory", "Memory of one Argon2id hash.", &password_memory_kib, 19456,
               19456, 1048576, PGC_SIGHUP, GUC_UNIT_KB);
    define_int("aegis.password_iterations", "Passes of one Argon2id hash.", &password_iterations, 2,
               2, 64, PGC_SIGHUP, 0);
    define_int("aegis.password_concurrency",
               "Argon2id hashes computed at once in the cluster; 0 half of the processors.",
               &password_concurrency, 0, 0, 64, PGC_SIGHUP, 0);
    DefineCustomStringVariable("aegis.breached_passwords",
                               "File of passwords that are known from breaches; empty: none.",
                               "Made by aegis-breached.", &breached_passwords, "", PGC_SIGHUP,
                               GUC_SUPERUSER_ONLY, check_path, nullptr, nullptr);
    define_int("aegis.lock_failures", "Failed sign-ins in a row that lock an account.",
               &lock_failures, 10, 3, 100, PGC_SIGHUP, 0);
    define_int("aegis.lock_time", "How long an account stays locked.", &lock_seconds, 1800, 60,
               604800, PGC_SIGHUP, GUC_UNIT_S);
    define_int("aegis.network_failures_per_minute",
               "Failed sign-ins of one network in a minute; 0 any number.", &network_failures, 60,
               0, 1000000, PGC_SIGHUP, 0);
    define_int("aegis.tenant_failures_per_minute",
               "Failed sign-ins to one tenant in a minute; 0 any number.", &tenant_failures, 600, 0,
               1000000, PGC_SIGHUP, 0);
    // At start only: what was forgotten under a shorter window must not be accepted under a longer.
    define_int("aegis.signature_window", "How far the clock of a service may be off, either way.",
               &signature_window_seconds, 300, 1, 300, PGC_POSTMASTER, GUC_UNIT_S);
    define_int("aegis.session_idle_timeout", "A session ends after this time without a request.",
               &session_idle_seconds, 1800, 60, 604800, PGC_SIGHUP, GUC_UNIT_S);
    define_int("aegis.session_lifetime", "A session ends after this time in any case.",
               &session_lifetime_seconds, 43200, 60, 2592000, PGC_SIGHUP, GUC_UNIT_S);
    define_int("aegis.step_up_time",
               "How long a confirmation of who somebody is holds for dangerous actions.",
               &step_up_seconds, 900, 30, 86400, PGC_SIGHUP, GUC_UNIT_S);
    define_int("aegis.bulk_reveal",
               "Values that a session may open within aegis.step_up_time after its confirmation is "
               "that old; 0 any number.",
               &bulk_reveal, 5000, 0, 1000000, PGC_SIGHUP, 0);
    define_int("aegis.request_timeout", "How long the handler of a request may run.",
               &request_timeout_ms, 8000, 100, 600000, PGC_SIGHUP, GUC_UNIT_MS);

    define_int("aegis.operator_time_box", "How long an operator has a tenant's context.",
               &operator_time_box, 900, 1, 86400, PGC_SIGHUP, GUC_UNIT_S);
    define_int("aegis.operator_time_box_limit", "The longest time box an operator may ask for.",
               &operator_time_box_limit, 3600, 1, 86400, PGC_SIGHUP, GUC_UNIT_S);
    define_int("aegis.transaction_timeout", "How long a transaction may keep a session's context.",
               &transaction_timeout, 900, 1, 86400, PGC_SIGHUP, GUC_UNIT_S);
    define_int("aegis.tenant_statement_timeout", "Statement timeout in a tenant's context; 0 none.",
               &tenant_statement_timeout_ms, 60000, 0, 86400000, PGC_SIGHUP, GUC_UNIT_MS);
    define_int("aegis.tenant_lock_timeout", "Lock timeout in a tenant's context; 0 none.",
               &tenant_lock_timeout_ms, 10000, 0, 86400000, PGC_SIGHUP, GUC_UNIT_MS);
    define_int("aegis.tenant_idle_timeout",
               "How long a client may wait in a transaction with a tenant's context; 0 for ever.",
               &tenant_idle_timeout_ms, 300000, 0, 86400000, PGC_SIGHUP, GUC_UNIT_MS);
    define_int("aegis.tenant_requests_per_minute", "Contexts of a tenant's sessions; 0 any number.",
               &tenant_requests, 0, 0, 10000000, PGC_SIGHUP, 0);
    define_int("aegis.tenant_rows_per_minute",
               "Rows that statements give or change in a tenant's contexts; 0 any number.",
               &tenant_rows, 0, 0, 10000000, PGC_SIGHUP, 0);
}

}  // namespace aegis::guc
