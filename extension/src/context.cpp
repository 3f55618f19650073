// SPDX-License-Identifier: Apache-2.0
// The context lives in a plain struct that one string GUC feeds. The GUC gives transaction scope
// (GUC_ACTION_LOCAL), subtransaction revert, and transport to parallel workers; its check hook
// refuses every value that establish() below did not just produce. docs/context.md tells why each
// flag is there.
#include "context.hpp"

#include "pg/function.hpp"
#include "role.hpp"

namespace aegis::context {

namespace {

constexpr size_t kTextBytes = 2 * sizeof(Context);

char *guc_text = nullptr;
Context active;
bool is_set = false;
// Open only while establish() calls into the GUC machinery: the value whose text it gives.
const Context *gate = nullptr;
// Cleared by the top-level transaction alone: ROLLBACK TO reverts the GUC and would otherwise
// re-open the way in under another identity.
bool used_in_transaction = false;

int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

bool check(char **value, void **extra, GucSource source) {
    if (**value == '\0') return true;  // no context
    // The source test matters: a background worker's start applies ALTER ROLE settings while the
    // flag is true as well.
    bool from_leader = InitializingParallelWorker && source == PGC_S_SESSION;
    if (gate == nullptr && !from_leader) {
        GUC_check_errcode(ERRCODE_INSUFFICIENT_PRIVILEGE);
        GUC_check_errmsg("parameter \"aegis.context\" cannot be set");
        GUC_check_errdetail("The context comes from a verified way in only.");
        return false;
    }
    if (strlen(*value) != kTextBytes) return false;
    uint8_t *bytes = static_cast<uint8_t *>(pg::guc_extra_alloc(sizeof(Context)));
    if (bytes == nullptr) return false;
    *extra = bytes;
    if (gate != nullptr) {  // spares decoding what establish() has just encoded
        memcpy(bytes, gate, sizeof(Context));
        return true;
    }
    for (size_t i = 0; i < sizeof(Context); i++) {
        int high = nibble((*value)[2 * i]), low = nibble((*value)[2 * i + 1]);
        if (high < 0 || low < 0) {
            *extra = nullptr;
            free(bytes);
            return false;
        }
        bytes[i] = static_cast<uint8_t>(high << 4 | low);
    }
    return true;
}

void assign(const char *, void *extra) {
    is_set = extra != nullptr;
    if (is_set)
        memcpy(&active, extra, sizeof active);
    else
        memset(&active, 0, sizeof active);
}

const char *show() {
    return is_set ? "(set)" : "";
}

void at_transaction_end(XactEvent event, void *) {
    switch (event) {
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_ABORT:
        case XACT_EVENT_PREPARE:
            used_in_transaction = false;
            end_own_clock();  // which an error outside of the handler may have left running
            break;
        default:
            break;
    }
}

void copy_text(char *out, size_t bytes, const char *text) {
    if (text != nullptr)  // cut at a character, not inside one
        memcpy(out, text,
               pg_mbcliplen(text, static_cast<int>(strlen(text)), static_cast<int>(bytes) - 1));
}

void set_guc(const Context &context, const char *text) {
    gate = &context;
    PG_TRY();
    {
        set_config_option("aegis.context", text, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true,
                          0, false);
    }
    PG_FINALLY();
    { gate = nullptr; }
    PG_END_TRY();
}

}  // namespace

const Context *current() {
    return is_set ? &active : nullptr;
}

const Context &require() {
    if (!is_set)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NO_TENANT), errmsg("tenant is not set"),
                        errhint("Call aegis.authenticate() at the start of the transaction.")));
    return active;
}

void establish(const Context &context) {
    bool may_bypass = context.way == Way::break_glass || context.way == Way::job;
    if (!may_bypass && role::bypasses_row_security(GetSessionUserId()))
        ereport(
            ERROR,
            (errcode(AEGIS_ERRCODE_CONTEXT_REFUSED),
             errmsg("role \"%s\" cannot take a tenant context",
                    GetUserNameFromId(GetSessionUserId(), false)),
             errdetail("The role is superuser or has BYPASSRLS, so row security would not hold."),
             errhint("Connect as a role that is a member of aegis_member, or use "
                     "aegis.assume_tenant().")));
    if (used_in_transaction)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_CONTEXT_REFUSED),
                        errmsg("context is already set in this transaction"),
                        errhint("Start a new transaction.")));
    if (IsParallelWorker())
        ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
                        errmsg("cannot set a context during a parallel operation")));

    static_assert(sizeof(Context) % sizeof(uint64) == 0);
    char text[kTextBytes + 1];
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = reinterpret_cast<const uint8_t *>(&context);
    memset(text, '0', kTextBytes);
    for (size_t word = 0; word < sizeof context; word += sizeof(uint64)) {
        uint64 eight;
        memcpy(&eight, bytes + word, sizeof eight);
        if (eight == 0) continue;  // most of it
        for (size_t i = word; i < word + sizeof eight; i++) {
            text[2 * i] = digits[bytes[i] >> 4];
            text[2 * i + 1] = digits[bytes[i] & 15];
        }
    }
    text[kTextBytes] = '\0';
    // Set before the GUC: an error inside must not leave the way open for a second try.
    used_in_transaction = true;
    set_guc(context, text);
}

void end() {
    set_config_option("aegis.context", "", PGC_SUSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
                      false);
}

void set_ranges(Context &context, int16 rank, const pg_uuid_t &user, int64 team_ord,
                int64 subtree_hi) {
    context.rank = rank;
    context.user = user;
    context.team_ord = team_ord;
    context.team_lo = PG_INT64_MIN;
    context.team_hi = PG_INT64_MAX;
    memset(context.user_lo.data, 0x00, UUID_LEN);
    memset(context.user_hi.data, 0xff, UUID_LEN);
    switch (rank) {
        case kRankAdmin:
            break;
        case kRankManager:
            context.team_lo = team_ord;
            context.team_hi = subtree_hi;
            break;
        case kRankTeamLead:
            context.team_lo = context.team_hi = team_ord;
            break;
        default:  // own rows, in every team
            context.user_lo = context.user_hi = user;
            break;
    }
}

void set_origin(Context &context, const char *ip, const char *user_agent, const char *request_id) {
    copy_text(context.ip, sizeof context.ip, ip);
    copy_text(context.user_agent, sizeof context.user_agent, user_agent);
    copy_text(context.request_id, sizeof context.request_id, request_id);
}

void define() {
    DefineCustomStringVariable("aegis.context", "The verified context of this transaction.",
                               nullptr, &guc_text, "", PGC_SUSET,
                               GUC_NO_SHOW_ALL | GUC_NO_RESET_ALL | GUC_NOT_IN_SAMPLE |
                                   GUC_DISALLOW_IN_FILE | GUC_DISALLOW_IN_AUTO_FILE,
                               check, assign, show);
    RegisterXactCallback(at_transaction_end, nullptr);
}

}  // namespace aegis::context

using aegis::context::Context;

namespace {

// Getters return NULL when unset and read nothing but the struct: there is no fallback.
Datum uuid_or_null(FunctionCallInfo fcinfo, const pg_uuid_t Context::*member) {
    const Context *context = aegis::context::current();
    static const pg_uuid_t nil = {};
    if (context == nullptr || memcmp(&(context->*member), &nil, sizeof nil) == 0) PG_RETURN_NULL();
    pg_uuid_t *result = static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t)));
    *result = context->*member;
    PG_RETURN_UUID_P(result);
}

Datum text_or_null(FunctionCallInfo fcinfo, const char *text) {
    if (text == nullptr || *text == '\0') PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(text));
}

}  // namespace

// The bounds of the user range use nil and all-ones legitimately, hence no nil test.
#define AEGIS_CONTEXT_BOUND(name, member)                                        \
    AEGIS_FUNCTION(name) {                                                       \
        const Context *context = aegis::context::current();                      \
        if (context == nullptr) PG_RETURN_NULL();                                \
        pg_uuid_t *result = static_cast<pg_uuid_t *>(palloc(sizeof(pg_uuid_t))); \
        *result = context->member;                                               \
        PG_RETURN_UUID_P(result);                                                \
    }

#define AEGIS_CONTEXT_INT8(name, member)                    \
    AEGIS_FUNCTION(name) {                                  \
        const Context *context = aegis::context::current(); \
        if (context == nullptr) PG_RETURN_NULL();           \
        PG_RETURN_INT64(context->member);                   \
    }

AEGIS_FUNCTION(aegis_tenant_id) {
    return uuid_or_null(fcinfo, &Context::tenant);
}
AEGIS_FUNCTION(aegis_require_tenant) {
    aegis::context::require();
    return uuid_or_null(fcinfo, &Context::tenant);
}
AEGIS_FUNCTION(aegis_user_id) {
    return uuid_or_null(fcinfo, &Context::user);
}
AEGIS_FUNCTION(aegis_session_id) {
    const Context *context = aegis::context::current();
    if (context != nullptr &&
        (context->way == aegis::context::Way::service ||
         context->way == aegis::context::Way::webhook || context->way == aegis::context::Way::link))
        PG_RETURN_NULL();
    return uuid_or_null(fcinfo, &Context::session);
}
AEGIS_FUNCTION(aegis_service_id) {
    const Context *context = aegis::context::current();
    if (context == nullptr || context->way != aegis::context::Way::service) PG_RETURN_NULL();
    return uuid_or_null(fcinfo, &Context::session);
}
AEGIS_FUNCTION(aegis_link_id) {
    const Context *context = aegis::context::current();
    if (context == nullptr || context->way != aegis::context::Way::link) PG_RETURN_NULL();
    return uuid_or_null(fcinfo, &Context::session);
}
AEGIS_FUNCTION(aegis_link_target) {
    return uuid_or_null(fcinfo, &Context::target);
}
AEGIS_CONTEXT_BOUND(aegis_user_lo, user_lo)
AEGIS_CONTEXT_BOUND(aegis_user_hi, user_hi)
AEGIS_CONTEXT_INT8(aegis_team_ord, team_ord)
AEGIS_CONTEXT_INT8(aegis_team_lo, team_lo)
AEGIS_CONTEXT_INT8(aegis_team_hi, team_hi)

AEGIS_FUNCTION(aegis_rank) {
    const Context *context = aegis::context::current();
    if (context == nullptr) PG_RETURN_NULL();
    PG_RETURN_INT16(context->rank);
}
AEGIS_FUNCTION(aegis_request_id) {
    const Context *context = aegis::context::current();
    return text_or_null(fcinfo, context ? context->request_id : nullptr);
}
AEGIS_FUNCTION(aegis_client_ip) {
    const Context *context = aegis::context::current();
    return text_or_null(fcinfo, context ? context->ip : nullptr);
}
AEGIS_FUNCTION(aegis_auth_method) {
    static const char *const names[] = {
        "none", "session_token", "sign_in", "operator", "job", "service", "", "webhook", "link"};
    const Context *context = aegis::context::current();
    return text_or_null(fcinfo, context ? names[static_cast<int>(context->way)] : nullptr);
}
