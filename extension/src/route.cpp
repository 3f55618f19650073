// SPDX-License-Identifier: Apache-2.0
#include "route.hpp"

#include "catalogue.hpp"
#include "handle.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"
#include "pg/statement.hpp"
#include "role.hpp"

namespace aegis::route {

namespace {

struct Cache {
    MemoryContext memory;
    Oid table;
    bool valid;
    Route *routes;
    int count;
} cache;

pg::Statement read_routes = {
    "SELECT r.method, r.path, p.oid, r.minimum_rank, r.public, r.body_limit, r.event, "
    "'session' OPERATOR(pg_catalog.=) ANY (r.credentials), "
    "'service' OPERATOR(pg_catalog.=) ANY (r.credentials), r.scope, "
    "coalesce(pg_catalog.date_part('epoch', r.step_up), 0)::pg_catalog.int4, r.idempotent, "
    "'webhook' OPERATOR(pg_catalog.=) ANY (r.credentials), "
    "'token' OPERATOR(pg_catalog.=) ANY (r.credentials), "
    "'link' OPERATOR(pg_catalog.=) ANY (r.credentials), u.name, s.name, u.url, f.target, "
    "r.withheld OR coalesce(e.withheld, false)"
    "  FROM aegis.route r"
    "  LEFT JOIN aegis.upstream_route f ON f.method OPERATOR(pg_catalog.=) r.method"
    "   AND f.path OPERATOR(pg_catalog.=) r.path AND r.handler_schema = 'aegis' AND r.handler = "
    "'forwarded'"
    "  LEFT JOIN aegis.upstream u ON u.name OPERATOR(pg_catalog.=) f.upstream"
    "  LEFT JOIN aegis.service s ON s.id OPERATOR(pg_catalog.=) u.service_id"
    "  LEFT JOIN aegis.event_type e ON e.name OPERATOR(pg_catalog.=) r.event"
    "  LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = r.handler_schema"
    "  LEFT JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid AND p.proname = r.handler"
    "   AND p.pronargs = 1 AND p.proargtypes[0] = $1"
    " ORDER BY r.method, r.path",
    1,
    {OIDOID},
    nullptr};

// The callback only marks: a route in use must outlive the message that arrives meanwhile.
void on_relcache(Datum, Oid relation) {
    if (relation == InvalidOid || relation == cache.table) cache.valid = false;
}

// Handlers are known by name: another function may stand under it now.
void on_function(Datum, int, uint32) {
    cache.valid = false;
}

void split(Route *route, char *path) {
    for (char *at = path; *at == '/' && route->segment_count < http::kMaxSegments;) {
        char *start = ++at;
        while (*at != '\0' && *at != '/') at++;
        char *segment = pnstrdup(start, at - start);
        size_t length = strlen(segment);
        http::Pair &slot = route->segments[route->segment_count++];
        if (length > 2 && segment[0] == '{') {
            segment[length - 1] = '\0';
            slot = {segment + 1, nullptr};
        } else {
            slot = {nullptr, segment};
        }
    }
}

void load() {
    // Marked first: a change that arrives while reading makes the next look-up read again.
    cache.valid = true;
    if (cache.memory == nullptr)
        cache.memory =
            AllocSetContextCreate(CacheMemoryContext, "aegis routes", ALLOCSET_SMALL_SIZES);
    MemoryContextReset(cache.memory);
    cache.routes = nullptr;
    cache.count = 0;
    cache.table = get_relname_relid("route", get_namespace_oid("aegis", false));
    PG_TRY();
    {
        pg::Identity before = pg::enter();
        Datum request = ObjectIdGetDatum(request_type());
        int count = static_cast<int>(pg::execute(read_routes, &request));
        MemoryContext spi = MemoryContextSwitchTo(cache.memory);
        cache.routes = static_cast<Route *>(palloc0(sizeof(Route) * Max(count, 1)));
        for (int i = 0; i < count; i++) {
            Route &route = cache.routes[i];
            bool is_null;
            route.method = TextDatumGetCString(pg::column(i, 1, &is_null));
            char *path = TextDatumGetCString(pg::column(i, 2, &is_null));
            route.path = path;
            Datum handler = pg::column(i, 3, &is_null);
            route.handler = is_null ? InvalidOid : DatumGetObjectId(handler);
            route.minimum_rank = DatumGetInt16(pg::column(i, 4, &is_null));
            route.is_public = DatumGetBool(pg::column(i, 5, &is_null));
            route.body_limit = DatumGetInt32(pg::column(i, 6, &is_null));
            Datum event = pg::column(i, 7, &is_null);
            route.event = is_null ? nullptr : TextDatumGetCString(event);
            if (DatumGetBool(pg::column(i, 8, &is_null))) route.credentials |= kSession;
            if (DatumGetBool(pg::column(i, 9, &is_null))) route.credentials |= kService;
            Datum scope = pg::column(i, 10, &is_null);
            route.scope = is_null ? nullptr : TextDatumGetCString(scope);
            route.step_up = DatumGetInt32(pg::column(i, 11, &is_null));
            route.idempotent = DatumGetBool(pg::column(i, 12, &is_null));
            if (DatumGetBool(pg::column(i, 13, &is_null))) route.credentials |= kWebhook;
            if (DatumGetBool(pg::column(i, 14, &is_null))) route.credentials |= kToken;
            if (DatumGetBool(pg::column(i, 15, &is_null))) route.credentials |= kLink;
            const char **const forwarding[] = {&route.upstream, &route.service, &route.address,
                                               &route.forward_path};
            for (int at = 0; at < 4; at++) {
                Datum value = pg::column(i, 16 + at, &is_null);
                *forwarding[at] = is_null ? nullptr : TextDatumGetCString(value);
            }
            route.withheld = DatumGetBool(pg::column(i, 20, &is_null));
            split(&route, path);
        }
        cache.count = count;
        MemoryContextSwitchTo(spi);
        pg::leave(before);
    }
    PG_CATCH();
    {
        cache.valid = false;
        PG_RE_THROW();
    }
    PG_END_TRY();
}

bool matches(const Route &route, const http::Target &target) {
    if (route.segment_count != target.segment_count) return false;
    for (int i = 0; i < route.segment_count; i++)
        if (route.segments[i].value != nullptr &&
            strcmp(route.segments[i].value, target.segments[i]) != 0)
            return false;
    return true;
}

// A literal wins over a parameter, position by position.
bool is_closer(const Route &a, const Route &b) {
    for (int i = 0; i < a.segment_count; i++)
        if ((a.segments[i].value != nullptr) != (b.segments[i].value != nullptr))
            return a.segments[i].value != nullptr;
    return false;
}

}  // namespace

void find(const char *method, const http::Target &target, Match *match) {
    memset(match, 0, sizeof *match);
    if (!cache.valid) load();
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    StringInfoData allow;
    initStringInfo(&allow);
    for (int i = 0; i < cache.count; i++) {
        const Route &route = cache.routes[i];
        if (!matches(route, target)) continue;
        if (strcmp(route.method, wanted) == 0) {
            if (match->route == nullptr || is_closer(route, *match->route)) match->route = &route;
        } else if (strstr(allow.data, route.method) == nullptr) {
            appendStringInfo(&allow, "%s%s", allow.len ? ", " : "", route.method);
            if (strcmp(route.method, "GET") == 0) appendStringInfoString(&allow, ", HEAD");
        }
    }
    if (match->route == nullptr) {
        match->allow = allow.len ? allow.data : nullptr;
        return;
    }
    for (int i = 0; i < match->route->segment_count; i++)
        if (match->route->segments[i].name != nullptr)
            match->parameters[match->parameter_count++] = {match->route->segments[i].name,
                                                           target.segments[i]};
}

void define() {
    pg::on_relation_change(on_relcache);
    pg::on_catalog_change(PROCOID, on_function);
    define_fitness();
}

}  // namespace aegis::route

namespace pg = aegis::pg;

namespace {

// "/api/customers/{id}": literals of unreserved characters, parameters named like SQL identifiers.
bool is_template(const char *path) {
    if (*path != '/') return false;
    int segments = 0;
    for (const char *at = path; *at != '\0';) {
        size_t length = strcspn(++at, "/");
        if (length == 0 || ++segments > aegis::http::kMaxSegments) return false;
        bool parameter = *at == '{';
        if (parameter && (length < 3 || at[length - 1] != '}' ||
                          !(at[1] == '_' || (at[1] >= 'a' && at[1] <= 'z'))))
            return false;
        size_t from = parameter ? 1 : 0, to = parameter ? length - 1 : length;
        for (size_t i = from; i < to; i++) {
            char c = at[i];
            bool allowed =
                (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
                (!parameter && ((c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '~'));
            if (!allowed) return false;
        }
        if (!parameter && (strncmp(at, ".", length) == 0 || strncmp(at, "..", length) == 0))
            return false;
        at += length;
    }
    return true;
}

void require_registrar() {
    Oid user = GetUserId();
    if (creating_extension || superuser() ||
        is_member_of_role_nosuper(user, aegis::role::operator_()))
        return;
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied to change routes"),
             errhint("Only members of aegis_operator may.")));
}

// The gateway lets it pass without a session; the signature is of the body.
bool is_webhook_path(FunctionCallInfo fcinfo) {
    const char *path = text_to_cstring(PG_GETARG_TEXT_PP(1));
    return strcmp(text_to_cstring(PG_GETARG_TEXT_PP(0)), "POST") == 0 && PG_GETARG_BOOL(4) &&
           strstr(path, "/{provider}") != nullptr && strstr(path, "/{endpoint}") != nullptr;
}

constexpr int kCredentialsArgument = 16;
constexpr int kScopeArgument = 17;

void require_credentials(FunctionCallInfo fcinfo) {
    Datum *values;
    bool *nulls;
    int count = 0;
    bool known = !PG_ARGISNULL(kCredentialsArgument), service = false, webhook = false;
    bool link = false;
    if (known)
        deconstruct_array(PG_GETARG_ARRAYTYPE_P(kCredentialsArgument), TEXTOID, -1, false,
                          TYPALIGN_INT, &values, &nulls, &count);
    for (int i = 0; i < count && known; i++) {
        const char *kind = nulls[i] ? "" : TextDatumGetCString(values[i]);
        service = service || strcmp(kind, "service") == 0;
        webhook = webhook || strcmp(kind, "webhook") == 0;
        link = link || strcmp(kind, "link") == 0;
        known = strcmp(kind, "service") == 0 || strcmp(kind, "session") == 0 ||
                strcmp(kind, "token") == 0 || webhook || link;
    }
    if (!known || count == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("credentials must name one kind at least"),
                        errhint("Kinds are \"session\", \"token\", \"service\", \"webhook\" "
                                "and \"link\".")));
    if (link && (count > 1 || !PG_GETARG_BOOL(4)))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a route for links must be for them alone"),
                        errhint("It is public: the gateway asks for no session.")));
    if (webhook && (count > 1 || !is_webhook_path(fcinfo)))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("a route for webhooks must be for them alone"),
                 errhint("It is a public POST, with {provider} and {endpoint} in its path.")));
    if ((service || link) == PG_ARGISNULL(kScopeArgument))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        service || link ? errmsg("a route for services or links must name a scope")
                                        : errmsg("only a route for services or links has a scope"),
                        errhint("Services with this scope may call it (aegis.create_service()), "
                                "or links of this kind.")));
}

Datum name_datum(const char *name) {
    return DirectFunctionCall1(namein, CStringGetDatum(name));
}

bool is_forwarded(Oid handler) {
    return get_func_namespace(handler) == get_namespace_oid("aegis", false) &&
           strcmp(get_func_name(handler), "forwarded") == 0;
}

// Where a call must not be known, nothing that it writes may be the tenant's to read. True when it
// must not.
bool require_quiet(FunctionCallInfo fcinfo, const char *method, const char *path, Oid handler) {
    bool withheld = !PG_ARGISNULL(19) && PG_GETARG_BOOL(19);
    if (!PG_ARGISNULL(6)) {
        bool event = aegis::catalogue::require_open(text_to_cstring(PG_GETARG_TEXT_PP(6))).withheld;
        if (withheld && !event)
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("the event of a withheld route must be withheld as well"),
                            errhint("Declare one with aegis.declare_event() and \"withheld\".")));
        withheld = event;
    }
    if (withheld && is_forwarded(handler))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("an upstream cannot answer \"%s %s\" unknown to the tenant", method, path),
                 errhint("That a request was signed stands in the log of the tenant. Answer "
                         "it in SQL, or leave it known.")));
    return withheld;
}

// Whoever changes routes is alone with them until the transaction ends: what is looked up first
// still holds when it is replaced.
void lock_routes() {
    LockRelationOid(get_relname_relid("route", get_namespace_oid("aegis", false)),
                    ShareRowExclusiveLock);
}

// Whether there is a route of this method and path whose calls must not be known. One of an
// extension is not replaced by what follows but removed first, by a trigger.
bool is_withheld(Datum method, Datum path) {
    static pg::Statement find = {
        "SELECT FROM aegis.routes() r WHERE r.method OPERATOR(pg_catalog.=) $1"
        " AND r.path OPERATOR(pg_catalog.=) $2 AND r.withheld",
        2,
        {TEXTOID, TEXTOID},
        nullptr};
    Datum values[] = {method, path};
    return pg::execute(find, values) > 0;
}

void record(const char *event, const char *method, const char *path) {
    char *target = psprintf("%s %s", method, path);
    aegis::ledger::Event entry = {event};
    entry.target_kind = "route";
    entry.target_id = target;
    aegis::ledger::append(entry);
}

}  // namespace

AEGIS_FUNCTION(aegis_register_route) {
    // The arguments, whether an extension's script called, and where the function is.
    constexpr int kArguments = 20, kParameters = kArguments + 2;
    static pg::Statement upsert = {
        "INSERT INTO aegis.route (method, path, handler, minimum_rank, public, body_limit, event, "
        "idempotent, replica_ok, summary, request_schema, response_schema, tag, parameter_schema, "
        "success_status, problems, credentials, scope, step_up, withheld, by_extension, "
        "handler_schema)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, "
        "$19, coalesce($20, false), $21, $22)"
        " ON CONFLICT (method, path) DO UPDATE SET (handler, minimum_rank, public, body_limit, "
        "event, idempotent, replica_ok, summary, request_schema, response_schema, tag, "
        "parameter_schema, success_status, problems, credentials, scope, step_up, withheld, "
        "by_extension, handler_schema)"
        " = ROW (excluded.handler, "
        "excluded.minimum_rank, excluded.public, excluded.body_limit, excluded.event, "
        "excluded.idempotent, excluded.replica_ok, excluded.summary, excluded.request_schema, "
        "excluded.response_schema, excluded.tag, excluded.parameter_schema, "
        "excluded.success_status, excluded.problems, excluded.credentials, excluded.scope, "
        "excluded.step_up, excluded.withheld, excluded.by_extension, excluded.handler_schema)",
        kParameters,
        {TEXTOID,      TEXTOID, NAMEOID,     INT2OID,  BOOLOID, INT4OID,  TEXTOID, BOOLOID,
         BOOLOID,      TEXTOID, JSONBOID,    JSONBOID, TEXTOID, JSONBOID, INT2OID, JSONBOID,
         TEXTARRAYOID, TEXTOID, INTERVALOID, BOOLOID,  BOOLOID, NAMEOID},
        nullptr};

    require_registrar();
    for (int i = 0; i < 6; i++)
        if (PG_ARGISNULL(i))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("method, path, handler, minimum_rank, public and body_limit "
                                   "must not be null")));
    const char *method = text_to_cstring(PG_GETARG_TEXT_PP(0));
    const char *path = text_to_cstring(PG_GETARG_TEXT_PP(1));
    Oid handler = PG_GETARG_OID(2);
    if (!is_template(path))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("path \"%s\" is not a path template", path),
                        errhint("Write it like /api/customers/{id}.")));
    bool replica_ok = !PG_ARGISNULL(8) && PG_GETARG_BOOL(8);
    if (replica_ok && (!PG_GETARG_BOOL(4) || strcmp(method, "GET") != 0 || !PG_ARGISNULL(6)))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a standby cannot answer \"%s %s\"", method, path),
                        errhint("It answers public routes that read and are no event: who is "
                                "signed in, only the primary knows.")));
    if (aegis::handle::is_session_route(path) || aegis::handle::is_watch_route(path))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("path \"%s\" is built in", path)));
    require_credentials(fcinfo);
    if (const char *reason = aegis::route::unfitness(handler))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("function %s cannot answer requests", format_procedure(handler)),
                        errdetail("As a handler, %s.", reason)));
    bool withheld = require_quiet(fcinfo, method, path, handler);

    Datum values[kParameters];
    char nulls[kParameters];
    memset(nulls, ' ', sizeof nulls);
    for (int i = 0; i < kArguments; i++) {
        values[i] = PG_GETARG_DATUM(i);
        if (PG_ARGISNULL(i)) nulls[i] = 'n';
    }
    values[2] = name_datum(get_func_name(handler));
    values[kArguments] = BoolGetDatum(creating_extension);
    values[kArguments + 1] = name_datum(get_namespace_name(get_func_namespace(handler)));
    pg::Identity before = pg::enter();
    lock_routes();
    // Whoever only means to change its handler must not make its calls known by leaving a word out.
    if (!withheld && is_withheld(values[0], values[1]))
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("route \"%s %s\" is withheld and would become known", method, path),
                 errhint("Register it with \"withheld\", or with an event that is withheld, or "
                         "remove it with aegis.drop_route() first.")));
    pg::execute(upsert, values, nulls);
    record("route.registered", method, path);
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_drop_route) {
    static pg::Statement remove = {
        "DELETE FROM aegis.route WHERE method OPERATOR(pg_catalog.=) $1 AND path "
        "OPERATOR(pg_catalog.=) $2",
        2,
        {TEXTOID, TEXTOID},
        nullptr};
    require_registrar();
    const char *method = text_to_cstring(PG_GETARG_TEXT_PP(0));
    const char *path = text_to_cstring(PG_GETARG_TEXT_PP(1));
    Datum values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
    pg::Identity before = pg::enter();
    lock_routes();
    if (pg::execute(remove, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
                        errmsg("route \"%s %s\" does not exist", method, path)));
    record("route.dropped", method, path);
    pg::leave(before);
    PG_RETURN_VOID();
}

AEGIS_FUNCTION(aegis_route_changed) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("not called by a trigger")));
    TriggerData *trigger = reinterpret_cast<TriggerData *>(fcinfo->context);
    // Every backend forgets its copy at commit; gateways hear of it by name.
    CacheInvalidateRelcache(trigger->tg_relation);
    Async_Notify("aegis_route", "");
    return PointerGetDatum(nullptr);
}
