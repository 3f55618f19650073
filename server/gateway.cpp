// SPDX-License-Identifier: Apache-2.0
#include "gateway.hpp"

#include "console.hpp"
#include "credential.hpp"
#include "json.hpp"
#include "log.hpp"
#include "problem.hpp"
#include "security_text.hpp"
#include "trace.hpp"

#include <algorithm>
#include <iterator>

namespace aegis::server {

namespace {

constexpr std::string_view kHealthPath = "/api/health";
constexpr std::string_view kMetricsPath = "/api/metrics";
constexpr std::string_view kStatusPath = "/api/status";
constexpr std::string_view kDemoPath = "/api/demo";
constexpr std::string_view kSecurityPath = "/.well-known/security.txt";  // RFC 9116

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kMetrics = "text/plain; version=0.0.4; charset=utf-8";

// Ours to say: the short name that is wanted is another region's.
constexpr std::string_view kNameTaken = "aegis-name-taken";
// The database's to say, and not passed on: the region of a tenant that is not there.
constexpr std::string_view kRegion = "aegis-region";
// They concern one connection, and the database has no use for them; or they are not a client's.
constexpr std::string_view kNotForwarded[] = {"connection", "keep-alive", "proxy-connection", "te",
                                              "trailer",    "upgrade",    kNameTaken};

bool is_read(const std::string &method) {
    return method == "GET" || method == "HEAD";
}

// Of a flat list of fields; empty when it is not there.
std::string take_field(std::string_view name, std::vector<std::string> *flat) {
    for (size_t at = 0; at + 1 < flat->size(); at += 2) {
        if ((*flat)[at] != name) continue;
        std::string value = std::move((*flat)[at + 1]);
        flat->erase(std::next(flat->begin(), static_cast<ptrdiff_t>(at)),
                    std::next(flat->begin(), static_cast<ptrdiff_t>(at + 2)));
        return value;
    }
    return {};
}

bool asks_to_look(const Head &head) {
    return is_read(head.method) && credential_of(head) == Credential::signature;
}

}  // namespace

Verdict Gateway::refuse(const Connection &connection, const Refusal &refusal) const {
    Verdict verdict;
    verdict.early = problem(refusal, connection.request_id);
    verdict.problem = refusal.name;
    return verdict;
}

// To a region to which this gateway hands nothing on.
Response Gateway::elsewhere(const Connection &connection, const Region &region) const {
    Response response;
    response.status = kElsewhere.status;
    response.body = JsonObject()
                        .add("type", std::string("urn:aegis:problem:") + kElsewhere.name)
                        .add("title", kElsewhere.title)
                        .add("status", int64_t{kElsewhere.status})
                        .add("detail", "it belongs to region \"" + region.name() + "\"")
                        .add("hint", "Go to " + region.url() + ".")
                        .add("region", region.name())
                        .add("url", region.url())
                        .add("request_id", connection.request_id)
                        .text();
    response.set("content-type", "application/problem+json");
    return response;
}

// A database knows the region of a tenant that is not, or no longer, there. Where that region is
// reached, the configuration knows.
void Gateway::lead_on(const std::string &name, Response *response) const {
    const size_t at = regions_.named(name);
    const size_t end = response->body.rfind('}');
    if (at == regions_.size() || regions_.at(at).url().empty() || end == std::string::npos) return;
    std::string members = JsonObject().add("region", name).add("url", regions_.at(at).url()).text();
    members.front() = ',';
    response->body.replace(end, 1, members);
}

void Gateway::choose_region(const Connection &connection, Verdict *verdict) const {
    verdict->region = route_.by_head(connection.head, *verdict->route);
    if (!verdict->region) return;
    const Region &region = regions_.at(*verdict->region);
    verdict->shown_region = region.name();
    if (regions_.proxy() || *verdict->region == regions_.home()) return;
    verdict->early = elsewhere(connection, region);
    verdict->problem = kElsewhere.name;
}

// A text that is known here, for GET and HEAD.
Verdict Gateway::answer(const Connection &connection, std::string_view type,
                        std::string body) const {
    Verdict verdict;
    if (!is_read(connection.head.method)) {
        verdict = refuse(connection, kMethodNotAllowed);
        verdict.early->set("allow", "GET, HEAD");
    } else {
        Response response;
        response.status = 200;
        response.set("content-type", std::string(type));
        response.body = std::move(body);
        verdict.early = std::move(response);
    }
    return verdict;
}

Verdict Gateway::answer_health(const Connection &connection, std::string body) const {
    Verdict verdict = answer(connection, kJson, std::move(body));
    if (verdict.early->status == 200 && home().health() == Health::down) {
        verdict.early->status = 503;
        verdict.early->set("retry-after", "1");
    }
    return verdict;
}

std::string Gateway::health_word() const {
    return std::string("{\"status\":\"") + name_of(home().health()) + "\"}";
}

std::string Gateway::health_details() const {
    Load load = load_();
    Routes table = home().routes();
    return std::string("{\"status\":\"") + name_of(home().health()) +
           "\",\"connections\":" + std::to_string(load.connections) +
           ",\"queued\":" + std::to_string(load.queued) +
           ",\"routes\":" + std::to_string(table != nullptr ? table->size() : 0) +
           ",\"database\":" + home().database_health() +
           (regions_.many() ? ",\"regions\":" + regions_.json() : "") + "}";
}

// Whoever watches the service from outside: by the address of the connection, which nobody forges.
bool Gateway::may_watch(const Connection &connection) const {
    const Config &settings = *connection.settings;
    if (settings.watchers.empty()) return false;
    std::optional<Network> peer = parse_network(connection.peer);
    return peer && is_in(peer->prefix, settings.watchers);
}

Verdict Gateway::judge(const Connection &connection) const {
    switch (connection.listener) {
        case Listener::main:
            return judge_main(connection);
        case Listener::admin:
            return judge_admin(connection);
        case Listener::redirect:
            return judge_redirect(connection);
    }
    return refuse(connection, kInternal);
}

// Pages hold no data: who may see what is decided when their scripts ask the interface.
Verdict Gateway::judge_console(const Connection &connection, std::string_view route) const {
    Verdict verdict;
    if (is_read(connection.head.method)) {
        verdict.early = console_response(connection.head.path, connection.settings->payment_forms);
    } else {
        verdict = refuse(connection, kMethodNotAllowed);
        verdict.early->set("allow", "GET, HEAD");
    }
    verdict.shown_route = route;
    return verdict;
}

Verdict Gateway::judge_main(const Connection &connection) const {
    const Config &settings = *connection.settings;
    const Head &head = connection.head;
    if (!settings.hosts.empty() &&
        std::find(settings.hosts.begin(), settings.hosts.end(), head.host) == settings.hosts.end())
        return refuse(connection, kMisdirected);
    // Whoever watches the service must not find it down because others ask too much.
    const bool health = head.path == kHealthPath;
    if (health && !asks_to_look(head)) return judge_path(connection);
    RateVerdict rate = rates_.take({settings.address_rate, settings.principal_rate},
                                   connection.peer, counted_principal(head, connection.peer));
    if (health && !rate.allowed) return judge_look(connection, Look::none, kHealthPath);
    Verdict verdict = rate.allowed ? judge_path(connection) : refuse(connection, kRateLimited);
    if (!rate.allowed) verdict.early->set("retry-after", std::to_string(rate.retry_seconds));
    verdict.rate = std::move(rate.fields);
    return verdict;
}

// Whether a signature opens it only the database can say; while that is away, nobody can.
Verdict Gateway::judge_look(const Connection &connection, Look look, std::string_view route) const {
    const bool away = home().health() == Health::down;
    Verdict verdict;
    if (look == Look::none || (look == Look::health && away)) {
        verdict = answer_health(connection, health_word());
    } else if (away) {
        verdict = refuse(connection, kUnavailable);
        verdict.early->set("retry-after", "5");
    } else {
        verdict.look = look;
        if (regions_.many()) {
            verdict.region = regions_.home();
            verdict.shown_region = regions_.at(regions_.home()).name();
        }
    }
    verdict.shown_route = route;
    return verdict;
}

// The database's word turned into what was asked for. For whoever may not see them, there are no
// metrics.
Response Gateway::show(const Connection &connection, const std::optional<Answer> &answer,
                       std::string_view *problem_name) const {
    const bool may = answer && answer->status == 204;
    if (connection.verdict.look == Look::health)
        return *answer_health(connection, may ? health_details() : health_word()).early;
    if (may) return *this->answer(connection, kMetrics, metrics_->text(load_(), regions_)).early;
    *problem_name = kNotFound.name;
    return problem(kNotFound, connection.request_id);
}

Verdict Gateway::judge_path(const Connection &connection) const {
    const Config &settings = *connection.settings;
    const Head &head = connection.head;
    if (head.path == kHealthPath && may_watch(connection)) {
        Verdict verdict = answer_health(connection, health_details());
        verdict.shown_route = kHealthPath;
        return verdict;
    }
    if (head.path == kHealthPath)
        return judge_look(connection, asks_to_look(head) ? Look::health : Look::none, kHealthPath);
    if (head.path == kMetricsPath && may_watch(connection)) {
        Verdict verdict = answer(connection, kMetrics, metrics_->text(load_(), regions_));
        verdict.shown_route = kMetricsPath;
        return verdict;
    }
    if (head.path == kMetricsPath && asks_to_look(head))
        return judge_look(connection, Look::metrics, kMetricsPath);
    if (head.path == kSecurityPath && !settings.security_contact.empty()) {
        Verdict verdict = answer(connection, kText, security_text(settings));
        verdict.shown_route = kSecurityPath;
        return verdict;
    }
    // From memory: it must answer most of all when the database does not.
    if (head.path == kStatusPath) {
        std::string body = std::string("{\"status\":\"") + name_of(home().health()) +
                           "\",\"details\":" + home().database_status();
        if (regions_.many()) body += ",\"regions\":" + regions_.json();
        Verdict verdict = answer(connection, kJson, body + "}");
        verdict.shown_route = kStatusPath;
        return verdict;
    }
    // Without demo mode there is nothing to ask the database for.
    if (head.path == kDemoPath && !settings.demo) {
        Verdict verdict = answer(connection, kJson, "{\"logins\":[]}");
        verdict.shown_route = kDemoPath;
        return verdict;
    }
    std::string_view page = settings.console ? console_route(head.path) : std::string_view();
    if (!page.empty()) return judge_console(connection, page);
    Routes table = regions_.routes(regions_.home());
    if (table == nullptr) return refuse(connection, kUnavailable);
    RouteTable::Match match = table->find(head.method, head.path);
    if (match.route == nullptr && match.allow.empty()) return refuse(connection, kNotFound);
    if (match.route == nullptr) {
        Verdict verdict = refuse(connection, kMethodNotAllowed);
        verdict.early->set("allow", match.allow);
        return verdict;
    }
    Verdict verdict;
    if (!match.route->is_public) {
        switch (credential_of(head)) {
            case Credential::none:
                verdict = refuse(connection, kMissingCredential);
                break;
            case Credential::malformed:
                verdict = refuse(connection, kSessionInvalid);
                break;
            case Credential::malformed_signature:
                verdict = refuse(connection, kSignatureInvalid);
                break;
            case Credential::ambiguous:
                verdict = refuse(connection, kAmbiguousCredential);
                break;
            case Credential::session:
            case Credential::token:
            case Credential::signature:
                break;
        }
    }
    size_t limit = std::min(match.route->body_limit, static_cast<size_t>(settings.body_bytes));
    if (!verdict.early && head.content_length > limit) verdict = refuse(connection, kBodyTooLarge);
    verdict.table = table;
    verdict.route = match.route;
    verdict.shown_route = match.route->path;
    verdict.anonymous_write = match.route->is_public && !is_read(head.method);
    if (regions_.many() && !verdict.early) choose_region(connection, &verdict);
    return verdict;
}

Verdict Gateway::judge_admin(const Connection &connection) const {
    const std::string &path = connection.head.path;
    // The process lives whatever the database does.
    if (path == "/live") return answer(connection, kJson, "{\"status\":\"ok\"}");
    if (path == "/ready") return answer_health(connection, health_word());
    if (path == "/health") return answer_health(connection, health_details());
    if (path == "/metrics") return answer(connection, kMetrics, metrics_->text(load_(), regions_));
    return refuse(connection, kNotFound);
}

// A page may be led to TLS. An interface may not: what it sent in the clear is already lost, and
// its author should hear of it.
Verdict Gateway::judge_redirect(const Connection &connection) const {
    const Config &settings = *connection.settings;
    const Head &head = connection.head;
    bool interface = head.path == "/api" || head.path.compare(0, 5, "/api/") == 0;
    bool named = settings.hosts.empty() || std::find(settings.hosts.begin(), settings.hosts.end(),
                                                     head.host) != settings.hosts.end();
    if (interface || !named || !is_read(head.method)) return refuse(connection, kPlainText);
    Verdict verdict;
    Response response;
    response.status = 308;
    std::string port =
        settings.listener.port == 443 ? "" : ":" + std::to_string(settings.listener.port);
    response.set("location", "https://" + head.host + port + head.target());
    verdict.early = std::move(response);
    return verdict;
}

// The database said who calls and signed it; who answers is in the configuration.
Response Gateway::forward_on(const Connection &connection, const Call &call,
                             const std::vector<std::string> &order,
                             std::string_view *problem_name) const {
    UpstreamCall out;
    out.method = connection.head.method == "HEAD" ? std::string_view("GET") : call.method;
    out.body = call.body;
    out.request_id = connection.request_id;
    out.fields = &connection.head.fields;
    out.order = &order;
    const Refusal *refusal = nullptr;
    std::optional<Response> response = upstreams_.call(out, &refusal);
    if (response) return std::move(*response);
    *problem_name = refusal->name;
    Response failed = problem(*refusal, connection.request_id);
    if (refusal->status == 503) failed.set("retry-after", "5");
    return failed;
}

bool Gateway::is_for_replica(const Connection &connection, size_t region) const {
    const Route *route = connection.verdict.route;
    return route != nullptr && route->replica_ok && route->is_public && region == regions_.home() &&
           replica_.usable();
}

std::optional<Answer> Gateway::ask(const Call &call, bool replica, size_t region, Reach *reach,
                                   Failure *failure) const {
    Database &database = reach->regions[region];
    std::optional<Answer> answer = (replica ? reach->replica : database).handle(call, failure);
    // What a standby cannot answer, the primary is asked: it is a read, so nothing happens twice.
    if (replica && (!answer || answer->status >= 500)) {
        *failure = Failure();
        answer = database.handle(call, failure);
    }
    return answer;
}

Region::Door Gateway::enter(Connection *connection, std::string_view body, Reach *reach,
                            bool sign_in, const std::function<bool(size_t)> &behind,
                            std::optional<Region::Visit> *visit) const {
    Verdict &verdict = connection->verdict;
    if (!verdict.to) {
        verdict.to.emplace().region = verdict.region.value_or(regions_.home());
        if (!verdict.region && verdict.route != nullptr)
            verdict.to = route_.by_body(connection->head, *verdict.route, body, &reach->regions);
    }
    auto close = [&](const Refusal &refusal, Response response) {
        verdict.problem = refusal.name;
        verdict.early = std::move(response);
        return Region::Door::closed;
    };
    auto away = [&] {
        Response response = problem(kUnavailable, connection->request_id);
        response.set("retry-after", "5");
        return close(kUnavailable, std::move(response));
    };
    if (!verdict.to->known) return away();
    Region &region = regions_.at(verdict.to->region);
    verdict.shown_region = region.name();
    if (!regions_.proxy() && verdict.to->region != regions_.home())
        return close(kElsewhere, elsewhere(*connection, region));
    Region::Door door = Region::Door::full;
    if (verdict.waits_since || !behind(verdict.to->region))
        door = visit->emplace(&region, sign_in).door();
    if (door == Region::Door::open) return door;
    visit->reset();
    // Whoever watches is not kept waiting by those who are.
    if (verdict.look == Look::health) {
        verdict.early = show(*connection, std::nullopt, &verdict.problem);
        return Region::Door::closed;
    }
    const bool for_too_long =
        verdict.waits_since &&
        std::chrono::steady_clock::now() - *verdict.waits_since >= regions_.patience();
    return door == Region::Door::closed || for_too_long ? away() : door;
}

Response Gateway::forward(const Connection &connection, std::string_view body, Reach *reach,
                          std::optional<Region::Visit> *visit,
                          std::string_view *problem_name) const {
    const Head &head = connection.head;
    Destination to;
    to.region = regions_.home();
    if (connection.verdict.to) to = *connection.verdict.to;
    Call call;
    // A HEAD is the GET whose body is not sent; but what is signed is the method that was sent.
    bool as_get = head.method == "HEAD" && head.find("signature") == nullptr;
    call.method = as_get ? std::string_view("GET") : std::string_view(head.method);
    call.target = head.target();
    call.fields.reserve(head.fields.size() + 1);
    std::copy_if(head.fields.begin(), head.fields.end(), std::back_inserter(call.fields),
                 [traced = !trace_id_of(head).empty()](const auto &field) {
                     const std::string_view name = field.first;
                     if (name == "traceparent" && !traced) return false;
                     return std::find(std::begin(kNotForwarded), std::end(kNotForwarded), name) ==
                            std::end(kNotForwarded);
                 });
    if (to.name_is_elsewhere) call.fields.emplace_back(kNameTaken, "1");
    call.body = body;
    call.peer = connection.peer;
    call.request_id = connection.request_id;

    Failure failure;
    const bool replica = is_for_replica(connection, to.region);
    std::optional<Answer> answer = ask(call, replica, to.region, reach, &failure);
    if (*visit && (answer || failure.kind == Failure::Kind::refused))
        regions_.at(to.region).answered();
    // A service behind the gateway is none of the region.
    visit->reset();
    const Look look = connection.verdict.look;
    const bool decided = answer && answer->status != 429 && answer->status != 503;
    if (look == Look::health || (look == Look::metrics && decided))
        return show(connection, answer, problem_name);
    if (answer && Upstreams::is_order(answer->headers))
        return forward_on(connection, call, answer->headers, problem_name);
    if (answer && answer->status >= 200 && answer->status <= 599) {
        Response response;
        response.status = answer->status;
        response.body = std::move(answer->body);
        const std::string elsewhere = take_field(kRegion, &answer->headers);
        if (!take_headers(answer->headers, &response))
            log_event(Level::warn, "answer_header_refused",
                      {{"request_id", connection.request_id}});
        if (!elsewhere.empty()) lead_on(elsewhere, &response);
        return response;
    }
    auto fail = [&](const Refusal &refusal) {
        *problem_name = refusal.name;
        return problem(refusal, connection.request_id, failure.sqlstate);
    };
    if (failure.kind == Failure::Kind::timeout) return fail(kTimeout);
    if (!answer && failure.kind == Failure::Kind::unavailable) return fail(kUnavailable);
    // Whoever is told of errors is told nothing of a route that is withheld.
    const Route *route = connection.verdict.route;
    const bool withheld = route != nullptr && route->withheld;
    log_event(withheld ? Level::warn : Level::error, "statement_failed",
              {{"request_id", connection.request_id}, {"sqlstate", failure.sqlstate}});
    // 55P03: the teams of the tenant are being moved.
    bool exhausted = failure.sqlstate.compare(0, 2, "53") == 0 || failure.sqlstate == "55P03";
    return fail(exhausted ? kUnavailable : kInternal);
}

}  // namespace aegis::server
