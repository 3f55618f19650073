// SPDX-License-Identifier: Apache-2.0
#include "db.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>

namespace aegis::server {

namespace {

using Clock = std::chrono::steady_clock;

constexpr char kStatement[] = "aegis_handle";
constexpr char kHandle[] = "SELECT status, headers, body FROM aegis.handle($1, $2, $3, $4, $5, $6)";
constexpr char kRoutes[] = "SELECT method, path, public, body_limit FROM aegis.routes()";
constexpr char kHealth[] = "SELECT aegis.health()";

// A path that cannot exist: otherwise libpq looks for ~/.pgpass.
constexpr char kNoPasswordFile[] = "/dev/null/none";

constexpr Oid kTextOid = 25;
constexpr Oid kByteaOid = 17;
constexpr Oid kTextArrayOid = 1009;

constexpr auto kFirstBackOff = std::chrono::milliseconds(100);
constexpr auto kLongestBackOff = std::chrono::milliseconds(5000);
// For so long after an answer the connection is taken to be alive without a look at it.
constexpr auto kFresh = std::chrono::milliseconds(20);
// After a cancel request the server answers at once; a dead network does not.
constexpr auto kCancelPatience = std::chrono::milliseconds(1000);

void put32(std::string *out, uint32_t value) {
    uint32_t big = htonl(value);
    out->append(reinterpret_cast<const char *>(&big), sizeof(big));
}

// The binary form of a one-dimensional text[].
std::string text_array(const std::vector<std::pair<std::string_view, std::string_view>> &fields) {
    std::string out;
    size_t bytes = 20;
    for (const auto &[name, value] : fields) bytes += 8 + name.size() + value.size();
    out.reserve(bytes);
    put32(&out, fields.empty() ? 0 : 1);
    put32(&out, 0);  // no nulls
    put32(&out, kTextOid);
    if (fields.empty()) return out;
    put32(&out, static_cast<uint32_t>(fields.size() * 2));
    put32(&out, 1);
    for (const auto &[name, value] : fields) {
        put32(&out, static_cast<uint32_t>(name.size()));
        out += name;
        put32(&out, static_cast<uint32_t>(value.size()));
        out += value;
    }
    return out;
}

class BinaryReader {
 public:
    explicit BinaryReader(std::string_view bytes) : bytes_(bytes) {}
    bool get32(uint32_t *value) {
        if (bytes_.size() < 4) return false;
        uint32_t big;
        std::memcpy(&big, bytes_.data(), 4);
        *value = ntohl(big);
        bytes_.remove_prefix(4);
        return true;
    }
    bool get(size_t size, std::string *value) {
        if (bytes_.size() < size) return false;
        value->assign(bytes_.data(), size);
        bytes_.remove_prefix(size);
        return true;
    }

 private:
    std::string_view bytes_;
};

bool read_text_array(std::string_view bytes, std::vector<std::string> *items) {
    BinaryReader reader(bytes);
    uint32_t dimensions, nulls, type;
    if (!reader.get32(&dimensions) || !reader.get32(&nulls) || !reader.get32(&type)) return false;
    if (dimensions == 0) return true;
    uint32_t count, lower_bound;
    if (dimensions != 1 || nulls != 0 || !reader.get32(&count) || !reader.get32(&lower_bound))
        return false;
    for (uint32_t at = 0; at < count; ++at) {
        uint32_t size;
        std::string item;
        if (!reader.get32(&size) || !reader.get(size, &item)) return false;
        items->push_back(std::move(item));
    }
    return true;
}

std::string_view cell(const PGresult *result, int row, int column) {
    return {PQgetvalue(result, row, column), static_cast<size_t>(PQgetlength(result, row, column))};
}

}  // namespace

void Database::ResultDeleter::operator()(pg_result *result) const {
    PQclear(result);
}

Database::Database(const Config &config) : config_(config), jitter_(std::random_device{}()) {}

Database::~Database() {
    drop();
}

void Database::drop() {
    if (connection_ != nullptr) PQfinish(connection_);
    connection_ = nullptr;
}

Failure Database::failure_of(const pg_result *result) const {
    Failure failure;
    const char *state = result != nullptr ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
    failure.sqlstate = state != nullptr ? state : "";
    const char *text = result != nullptr ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)
                                         : PQerrorMessage(connection_);
    failure.message = text != nullptr ? text : "";
    while (!failure.message.empty() && failure.message.back() == '\n') failure.message.pop_back();
    std::string kind = failure.sqlstate.substr(0, 2);
    if (failure.sqlstate == "57014")
        failure.kind = Failure::Kind::timeout;
    else if (failure.sqlstate.empty() || kind == "08" || kind == "57")
        failure.kind = Failure::Kind::unavailable;
    else
        failure.kind = Failure::Kind::refused;
    return failure;
}

bool Database::wait(short events, Clock::time_point deadline) {
    for (;;) {
        auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) return false;
        pollfd poll_fd{PQsocket(connection_), events, 0};
        int ready = poll(&poll_fd, 1, static_cast<int>(left.count()) + 1);
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
}

bool Database::connect(Failure *failure) {
    std::string port = std::to_string(config_.port);
    std::string timeout = std::to_string(config_.connect_seconds);
    bool local = !config_.socket.empty();
    // The server gives up on a statement a little before we do, so that its own word arrives.
    std::string options =
        "-c statement_timeout=" + std::to_string(config_.statement_seconds * 1000);
    std::vector<const char *> names = {"host",           "port",
                                       "dbname",         "user",
                                       "options",        "application_name",
                                       "passfile",       "connect_timeout",
                                       "sslmode",        "client_encoding",
                                       "keepalives_idle"};
    std::vector<const char *> values = {local ? config_.socket.c_str() : config_.host.c_str(),
                                        port.c_str(),
                                        config_.name.c_str(),
                                        config_.user.c_str(),
                                        options.c_str(),
                                        "aegis-server",
                                        kNoPasswordFile,
                                        timeout.c_str(),
                                        local ? "disable" : "verify-full",
                                        "UTF8",
                                        "30"};
    if (!local) {
        names.insert(names.end(), {"sslrootcert", "sslcert", "sslkey", "ssl_min_protocol_version"});
        values.insert(values.end(),
                      {config_.root_certificate.c_str(), config_.client_certificate.c_str(),
                       config_.client_key.c_str(), "TLSv1.3"});
    }
    names.push_back(nullptr);
    values.push_back(nullptr);

    connection_ = PQconnectStartParams(names.data(), values.data(), 0);
    auto deadline = Clock::now() + std::chrono::seconds(config_.connect_seconds);
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (connection_ != nullptr && PQstatus(connection_) != CONNECTION_BAD &&
           state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        if (!wait(state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)) {
            failure->kind = Failure::Kind::unavailable;
            failure->message = "no answer in time";
            drop();
            return false;
        }
        state = PQconnectPoll(connection_);
    }
    if (connection_ == nullptr || PQstatus(connection_) != CONNECTION_OK) {
        *failure = failure_of(nullptr);
        failure->kind = Failure::Kind::unavailable;
        drop();
        return false;
    }
    const char *superuser = PQparameterStatus(connection_, "is_superuser");
    if (superuser != nullptr && std::strcmp(superuser, "on") == 0) {
        failure->kind = Failure::Kind::refused;
        failure->sqlstate = "28000";
        failure->message = "the gateway's login is a superuser";
        drop();
        return false;
    }
    // Notices would go to standard error between our JSON lines.
    PQsetNoticeProcessor(
        connection_, [](void *, const char *) {}, nullptr);
    prepared_ = false;
    return PQsetnonblocking(connection_, 1) == 0;
}

bool Database::ensure(Failure *failure) {
    if (connection_ != nullptr) {
        if (Clock::now() - last_answer_ < kFresh) return true;
        // A server that went away in the meantime has left an end-of-file to read.
        pollfd poll_fd{PQsocket(connection_), POLLIN, 0};
        if (poll(&poll_fd, 1, 0) > 0 && PQconsumeInput(connection_) == 0) drop();
        if (connection_ != nullptr && PQstatus(connection_) == CONNECTION_OK) return true;
        drop();
    }
    if (Clock::now() < next_attempt_) {
        *failure = last_failure_;
        return false;
    }
    if (connect(failure)) {
        back_off_ = std::chrono::milliseconds(0);
        return true;
    }
    back_off_ = std::clamp(back_off_ * 2, kFirstBackOff, kLongestBackOff);
    // Half to whole: workers that lost the same server must not return in step.
    std::uniform_int_distribution<int64_t> spread(back_off_.count() / 2, back_off_.count());
    next_attempt_ = Clock::now() + std::chrono::milliseconds(spread(jitter_));
    last_failure_ = *failure;
    return false;
}

Database::Result Database::collect(Failure *failure) {
    auto deadline = Clock::now() + std::chrono::seconds(config_.statement_seconds) +
                    std::chrono::milliseconds(500);
    bool cancelled = false;
    Result last;
    for (;;) {
        int flushed = PQflush(connection_);
        if (flushed < 0) break;
        if (flushed == 0 && !PQisBusy(connection_)) {
            Result next(PQgetResult(connection_));
            if (next == nullptr) {
                last_answer_ = Clock::now();
                return last;
            }
            if (last == nullptr || PQresultStatus(last.get()) != PGRES_FATAL_ERROR)
                last = std::move(next);
            continue;
        }
        if (!wait(static_cast<short>(flushed > 0 ? POLLIN | POLLOUT : POLLIN), deadline)) {
            if (cancelled) {
                failure->kind = Failure::Kind::timeout;
                drop();
                return nullptr;
            }
            cancelled = true;
            deadline = Clock::now() + kCancelPatience;
            if (PGcancel *cancel = PQgetCancel(connection_)) {
                char text[256];
                // When it cannot be delivered, the second deadline drops the connection.
                (void)PQcancel(cancel, text, sizeof(text));
                PQfreeCancel(cancel);
            }
            continue;
        }
        if (PQconsumeInput(connection_) == 0) break;
    }
    *failure = failure_of(nullptr);
    failure->kind = Failure::Kind::unavailable;
    drop();
    return nullptr;
}

Database::Result Database::finish(bool sent, Failure *failure) {
    if (!sent) {
        *failure = failure_of(nullptr);
        failure->kind = Failure::Kind::unavailable;
        drop();
        return nullptr;
    }
    Result result = collect(failure);
    if (result == nullptr) return nullptr;
    ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        *failure = failure_of(result.get());
        if (failure->kind == Failure::Kind::unavailable) drop();
        return nullptr;
    }
    return result;
}

Database::Result Database::ask(const char *sql, Failure *failure) {
    if (!ensure(failure)) return nullptr;
    return finish(PQsendQuery(connection_, sql) == 1, failure);
}

bool Database::prepare(Failure *failure) {
    if (!ensure(failure)) return false;
    if (prepared_) return true;
    static constexpr Oid types[6] = {kTextOid,  kTextOid, kTextArrayOid,
                                     kByteaOid, kTextOid, kTextOid};
    prepared_ =
        finish(PQsendPrepare(connection_, kStatement, kHandle, 6, types) == 1, failure) != nullptr;
    return prepared_;
}

std::optional<Answer> Database::handle_once(const Call &call, Failure *failure) {
    if (!prepare(failure)) return std::nullopt;
    std::string fields = text_array(call.fields);
    const std::string_view parameters[6] = {call.method, call.target, fields,
                                            call.body,   call.peer,   call.request_id};
    const char *values[6];
    int lengths[6];
    static constexpr int formats[6] = {1, 1, 1, 1, 1, 1};
    for (int at = 0; at < 6; ++at) {
        // A null pointer would be SQL's NULL, an empty view may hold one.
        values[at] = parameters[at].data() != nullptr ? parameters[at].data() : "";
        lengths[at] = static_cast<int>(parameters[at].size());
    }
    Result result = finish(
        PQsendQueryPrepared(connection_, kStatement, 6, values, lengths, formats, 1) == 1, failure);
    if (result == nullptr) return std::nullopt;
    Answer answer;
    uint32_t status = 0;
    if (PQntuples(result.get()) != 1 || PQnfields(result.get()) != 3 ||
        !BinaryReader(cell(result.get(), 0, 0)).get32(&status) ||
        !read_text_array(cell(result.get(), 0, 1), &answer.headers)) {
        failure->kind = Failure::Kind::refused;
        failure->message = "aegis.handle gave an answer of another shape";
        return std::nullopt;
    }
    answer.status = static_cast<int>(status);
    answer.body = cell(result.get(), 0, 2);
    return answer;
}

std::optional<Answer> Database::handle(const Call &call, Failure *failure) {
    std::optional<Answer> answer = handle_once(call, failure);
    bool read = call.method == "GET" || call.method == "HEAD";
    // Whether a lost statement was carried out is unknown, and only a read may be asked twice. A
    // serialization failure was rolled back as a whole.
    bool lost =
        failure->kind == Failure::Kind::unavailable && read && next_attempt_ <= Clock::now();
    bool collided = failure->sqlstate == "40001" || failure->sqlstate == "40P01";
    if (!answer && (lost || collided)) {
        *failure = Failure();
        answer = handle_once(call, failure);
    }
    return answer;
}

std::optional<std::vector<Route>> Database::routes(Failure *failure) {
    Result result = ask(kRoutes, failure);
    if (result == nullptr) return std::nullopt;
    std::vector<Route> routes;
    for (int row = 0; row < PQntuples(result.get()); ++row) {
        Route route;
        route.method = cell(result.get(), row, 0);
        route.path = cell(result.get(), row, 1);
        route.is_public = cell(result.get(), row, 2) == "t";
        route.body_limit = std::strtoull(PQgetvalue(result.get(), row, 3), nullptr, 10);
        routes.push_back(std::move(route));
    }
    return routes;
}

std::optional<std::string> Database::health(Failure *failure) {
    Result result = ask(kHealth, failure);
    if (result == nullptr || PQntuples(result.get()) != 1 || PQgetisnull(result.get(), 0, 0) == 1)
        return std::nullopt;
    return std::string(cell(result.get(), 0, 0));
}

bool Database::listen(Failure *failure) {
    return ask("LISTEN aegis_route", failure) != nullptr;
}

bool Database::wait_for_change(std::chrono::milliseconds time, int wake_fd) {
    pollfd poll_fds[2] = {{wake_fd, POLLIN, 0},
                          {connection_ != nullptr ? PQsocket(connection_) : -1, POLLIN, 0}};
    poll(poll_fds, 2, static_cast<int>(time.count()));
    if (connection_ == nullptr || poll_fds[1].revents == 0) return false;
    if (PQconsumeInput(connection_) == 0) {
        drop();
        return false;
    }
    bool changed = false;
    while (PGnotify *word = PQnotifies(connection_)) {
        changed = true;
        PQfreemem(word);
    }
    return changed;
}

}  // namespace aegis::server
