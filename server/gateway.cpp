// SPDX-License-Identifier: Apache-2.0
#include "gateway.hpp"

#include "console.hpp"
#include "credential.hpp"
#include "log.hpp"
#include "problem.hpp"
#include "security_text.hpp"
#include "trace.hpp"

#include <algorithm>
#include <iterator>

namespace aegis::server {

namespace {

constexpr std::string_view kHealthPath = "/api/health";
constexpr std::string_view kSecurityPath = "/.well-known/security.txt";  // RFC 9116

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kMetrics = "text/plain; version=0.0.4; charset=utf-8";

// They concern one connection; the database has no use for them.
constexpr std::string_view kHopByHop[] = {"connection", "keep-alive", "proxy-connection",
                                          "te",         "trailer",    "upgrade"};

bool is_read(const std::string &method) {
    return method == "GET" || method == "HEAD";
}

}  // namespace

Verdict Gateway::refuse(const Connection &connection, const Refusal &refusal) const {
    Verdict verdict;
    verdict.early = problem(refusal, connection.request_id);
    verdict.problem = refusal.name;
    return verdict;
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
    if (verdict.early->status == 200 && monitor_.health() == Health::down) {
        verdict.early->status = 503;
        verdict.early->set("retry-after", "1");
    }
    return verdict;
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
        verdict.early = console_response(connection.head.path);
    } else {
        verdict = refuse(connection, kMethodNotAllowed);
        verdict.early->set("allow", "GET, HEAD");
    }
    verdict.shown_route = route;
    return verdict;
}

Verdict Gateway::judge_main(const Connection &connection) const {
    const Head &head = connection.head;
    if (!config_.hosts.empty() &&
        std::find(config_.hosts.begin(), config_.hosts.end(), head.host) == config_.hosts.end())
        return refuse(connection, kMisdirected);
    if (head.path == kHealthPath) {
        Verdict verdict = answer_health(
            connection, std::string("{\"status\":\"") + name_of(monitor_.health()) + "\"}");
        verdict.shown_route = kHealthPath;
        return verdict;
    }
    if (head.path == kSecurityPath && !config_.security_contact.empty()) {
        Verdict verdict = answer(connection, kText, security_text(config_));
        verdict.shown_route = kSecurityPath;
        return verdict;
    }
    std::string_view page = config_.console ? console_route(head.path) : std::string_view();
    if (!page.empty()) return judge_console(connection, page);
    Routes table = monitor_.routes();
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
            case Credential::signature:
                break;
        }
    }
    size_t limit = std::min(match.route->body_limit, static_cast<size_t>(config_.body_bytes));
    if (!verdict.early && head.content_length > limit) verdict = refuse(connection, kBodyTooLarge);
    verdict.table = table;
    verdict.route = match.route;
    verdict.shown_route = match.route->path;
    verdict.anonymous_write = match.route->is_public && !is_read(head.method);
    return verdict;
}

Verdict Gateway::judge_admin(const Connection &connection) const {
    const std::string &path = connection.head.path;
    // The process lives whatever the database does.
    if (path == "/live") return answer(connection, kJson, "{\"status\":\"ok\"}");
    if (path == "/ready")
        return answer_health(connection,
                             std::string("{\"status\":\"") + name_of(monitor_.health()) + "\"}");
    if (path == "/health") {
        Load load = load_();
        Routes table = monitor_.routes();
        return answer_health(
            connection, std::string("{\"status\":\"") + name_of(monitor_.health()) +
                            "\",\"connections\":" + std::to_string(load.connections) +
                            ",\"queued\":" + std::to_string(load.queued) +
                            ",\"routes\":" + std::to_string(table != nullptr ? table->size() : 0) +
                            ",\"database\":" + monitor_.database_health() + "}");
    }
    if (path == "/metrics") return answer(connection, kMetrics, metrics_->text(load_(), monitor_));
    return refuse(connection, kNotFound);
}

// A page may be led to TLS. An interface may not: what it sent in the clear is already lost, and
// its author should hear of it.
Verdict Gateway::judge_redirect(const Connection &connection) const {
    const Head &head = connection.head;
    bool interface = head.path == "/api" || head.path.compare(0, 5, "/api/") == 0;
    bool named = config_.hosts.empty() || std::find(config_.hosts.begin(), config_.hosts.end(),
                                                    head.host) != config_.hosts.end();
    if (interface || !named || !is_read(head.method)) return refuse(connection, kPlainText);
    Verdict verdict;
    Response response;
    response.status = 308;
    std::string port =
        config_.listener.port == 443 ? "" : ":" + std::to_string(config_.listener.port);
    response.set("location", "https://" + head.host + port + head.target());
    verdict.early = std::move(response);
    return verdict;
}

Response Gateway::forward(const Connection &connection, std::string_view body, Database *database,
                          std::string_view *problem_name) const {
    const Head &head = connection.head;
    Call call;
    // A HEAD is the GET whose body is not sent; but what is signed is the method that was sent.
    bool as_get = head.method == "HEAD" && head.find("signature") == nullptr;
    call.method = as_get ? std::string_view("GET") : std::string_view(head.method);
    call.target = head.target();
    call.fields.reserve(head.fields.size());
    std::copy_if(head.fields.begin(), head.fields.end(), std::back_inserter(call.fields),
                 [traced = !trace_id_of(head).empty()](const auto &field) {
                     if (field.first == "traceparent" && !traced) return false;
                     return std::find(std::begin(kHopByHop), std::end(kHopByHop), field.first) ==
                            std::end(kHopByHop);
                 });
    call.body = body;
    call.peer = connection.peer;
    call.request_id = connection.request_id;

    Failure failure;
    std::optional<Answer> answer = database->handle(call, &failure);
    if (answer && answer->status >= 200 && answer->status <= 599) {
        Response response;
        response.status = answer->status;
        response.body = std::move(answer->body);
        if (!take_headers(answer->headers, &response))
            log_event(Level::warn, "answer_header_refused",
                      {{"request_id", connection.request_id}});
        return response;
    }
    auto fail = [&](const Refusal &refusal) {
        *problem_name = refusal.name;
        return problem(refusal, connection.request_id, failure.sqlstate);
    };
    if (failure.kind == Failure::Kind::timeout) return fail(kTimeout);
    if (!answer && failure.kind == Failure::Kind::unavailable) return fail(kUnavailable);
    log_event(Level::error, "statement_failed",
              {{"request_id", connection.request_id}, {"sqlstate", failure.sqlstate}});
    // 55P03: the teams of the tenant are being moved.
    bool exhausted = failure.sqlstate.compare(0, 2, "53") == 0 || failure.sqlstate == "55P03";
    return fail(exhausted ? kUnavailable : kInternal);
}

}  // namespace aegis::server
