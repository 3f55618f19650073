// SPDX-License-Identifier: Apache-2.0
#include "database_link.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace aegis::server {

namespace {

using Clock = std::chrono::steady_clock;

// A path that cannot exist: otherwise libpq looks for ~/.pgpass.
constexpr char kNoPasswordFile[] = "/dev/null/none";

constexpr auto kFirstBackOff = std::chrono::milliseconds(100);
// Whoever waits for the database to come back waits no longer than this once it is there.
constexpr auto kLongestBackOff = std::chrono::milliseconds(1500);
// For so long after an answer the connection is taken to be alive without a look at it.
constexpr auto kFresh = std::chrono::milliseconds(20);
// Reads of what a server says unasked. One that goes on after them has more to say than a farewell.
constexpr int kMostReads = 16;

// Nothing that we ask begins a COPY. While one is under way libpq gives its result again and again,
// and waits for nothing.
bool is_copy(const pg_result *result) {
    const ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COPY_OUT || status == PGRES_COPY_IN || status == PGRES_COPY_BOTH;
}

}  // namespace

void DatabaseLink::ResultDeleter::operator()(pg_result *result) const {
    PQclear(result);
}

DatabaseLink::DatabaseLink(const DatabaseConfig &config, const char *program)
    : config_(config), program_(program), jitter_(std::random_device{}()) {}

DatabaseLink::~DatabaseLink() {
    drop();
}

void DatabaseLink::drop() {
    if (connection_ != nullptr) PQfinish(connection_);
    connection_ = nullptr;
}

Failure DatabaseLink::failure_of(const pg_result *result) const {
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

bool DatabaseLink::wait(short events, Clock::time_point deadline) {
    for (;;) {
        auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) return false;
        pollfd poll_fd{PQsocket(connection_), events, 0};
        int ready = poll(&poll_fd, 1, static_cast<int>(left.count()) + 1);
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
}

bool DatabaseLink::connect(Failure *failure) {
    std::string port = std::to_string(config_.port);
    std::string timeout = std::to_string(config_.connect_seconds);
    bool local = !config_.socket.empty();
    // The server gives up on a statement a little before we do, so that its own word arrives.
    // The search_path is the one that handlers run with: else each request would set it and back.
    std::string options = "-c search_path=pg_catalog,\\ pg_temp -c statement_timeout=" +
                          std::to_string(config_.statement_seconds * 1000);
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
                                        program_,
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
        failure->message = "the login is a superuser";
        drop();
        return false;
    }
    // Notices would go to standard error between our JSON lines.
    PQsetNoticeProcessor(
        connection_, [](void *, const char *) {}, nullptr);
    generation_++;
    return PQsetnonblocking(connection_, 1) == 0;
}

// A server that went away has left an end of file to read, and before it mostly a word of farewell,
// which libpq takes for a notice: so all of it is read.
bool DatabaseLink::is_over() {
    pollfd poll_fd{PQsocket(connection_), POLLIN, 0};
    for (int reads = 0; poll(&poll_fd, 1, 0) > 0; ++reads)
        if (reads == kMostReads || PQconsumeInput(connection_) == 0) return true;
    return PQstatus(connection_) != CONNECTION_OK;
}

bool DatabaseLink::ensure(Failure *failure) {
    if (connection_ != nullptr) {
        if (Clock::now() - last_answer_ < kFresh || !is_over()) return true;
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
    back_off(*failure);
    return false;
}

void DatabaseLink::back_off(const Failure &failure) {
    back_off_ = std::clamp(back_off_ * 2, kFirstBackOff, kLongestBackOff);
    // Half to whole: workers that lost the same server must not return in step.
    std::uniform_int_distribution<int64_t> spread(back_off_.count() / 2, back_off_.count());
    next_attempt_ = Clock::now() + std::chrono::milliseconds(spread(jitter_));
    last_failure_ = failure;
}

void DatabaseLink::give_up(const Failure &failure) {
    drop();
    back_off(failure);
}

DatabaseLink::Result DatabaseLink::collect(Failure *failure, std::chrono::milliseconds patience) {
    // By then the server has ended the statement by its own clock, unless it hangs; and libpq would
    // wait for such a one without end until it takes a cancellation.
    if (patience.count() == 0)
        patience = std::chrono::seconds(config_.statement_seconds) + std::chrono::milliseconds(500);
    auto deadline = Clock::now() + patience;
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
            if (is_copy(next.get())) break;
            if (last == nullptr || PQresultStatus(last.get()) != PGRES_FATAL_ERROR)
                last = std::move(next);
            continue;
        }
        if (!wait(static_cast<short>(flushed > 0 ? POLLIN | POLLOUT : POLLIN), deadline)) {
            failure->kind = Failure::Kind::timeout;
            drop();
            return nullptr;
        }
        if (PQconsumeInput(connection_) == 0) break;
    }
    *failure = failure_of(nullptr);
    failure->kind = Failure::Kind::unavailable;
    drop();
    return nullptr;
}

DatabaseLink::Result DatabaseLink::finish(bool sent, Failure *failure,
                                          std::chrono::milliseconds patience) {
    if (!sent) {
        *failure = failure_of(nullptr);
        failure->kind = Failure::Kind::unavailable;
        drop();
        return nullptr;
    }
    Result result = collect(failure, patience);
    if (result == nullptr) return nullptr;
    ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        *failure = failure_of(result.get());
        if (failure->kind == Failure::Kind::unavailable) drop();
        return nullptr;
    }
    return result;
}

DatabaseLink::Result DatabaseLink::ask(const char *sql, Failure *failure,
                                       std::chrono::milliseconds patience) {
    if (!ensure(failure)) return nullptr;
    return finish(PQsendQuery(connection_, sql) == 1, failure, patience);
}

DatabaseLink::Result DatabaseLink::ask(const char *sql, const std::vector<const char *> &parameters,
                                       Failure *failure) {
    if (!ensure(failure)) return nullptr;
    return finish(PQsendQueryParams(connection_, sql, static_cast<int>(parameters.size()), nullptr,
                                    parameters.data(), nullptr, nullptr, 0) == 1,
                  failure);
}

// A word that came together with the answer to a statement is here already; the socket is silent
// about it.
bool DatabaseLink::has_word() {
    bool heard = false;
    while (PGnotify *word = connection_ != nullptr ? PQnotifies(connection_) : nullptr) {
        heard = true;
        PQfreemem(word);
    }
    return heard;
}

bool DatabaseLink::wait_for_word(std::chrono::milliseconds time, int wake_fd) {
    if (has_word()) return true;
    pollfd poll_fds[2] = {{wake_fd, POLLIN, 0},
                          {connection_ != nullptr ? PQsocket(connection_) : -1, POLLIN, 0}};
    poll(poll_fds, 2, static_cast<int>(time.count()));
    if (connection_ == nullptr || poll_fds[1].revents == 0) return false;
    if (PQconsumeInput(connection_) == 0) {
        drop();
        return false;
    }
    return has_word();
}

}  // namespace aegis::server
