// SPDX-License-Identifier: Apache-2.0
#include "agent_database.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include "json.hpp"

namespace aegis::server {

namespace {

constexpr char kClaim[] =
    "SELECT id, kind, transport, destination, url, attempt, lease, idempotency_key, payload"
    " FROM aegis.claim_outbound($1, 1, $2, $3)";
constexpr char kFinish[] = "SELECT aegis.finish_outbound($1, $2, $3, $4, $5)";
// After what a call may take: for the database, and for clocks that differ.
constexpr int64_t kLeaseMargin = 60;

std::string array_of(const std::vector<std::string> &texts) {
    std::string array;
    for (const std::string &text : texts) {
        array += array.empty() ? "{\"" : ",\"";
        for (char c : text) {
            if (c == '"' || c == '\\') array += '\\';
            array += c;
        }
        array += '"';
    }
    return array.empty() ? "{}" : array + "}";
}

std::string cell(const PGresult *result, int column) {
    return {PQgetvalue(result, 0, column), static_cast<size_t>(PQgetlength(result, 0, column))};
}

// The text form of a bytea in hexadecimal: \x…
bool read_hex(const std::string &text, std::string *bytes) {
    size_t size = 0;
    unsigned char *read =
        PQunescapeBytea(reinterpret_cast<const unsigned char *>(text.c_str()), &size);
    if (read == nullptr) return false;
    bytes->assign(reinterpret_cast<char *>(read), size);
    PQfreemem(read);
    return true;
}

std::string hex_of(const std::string &bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text = "\\x";
    for (char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

const char *name_of(Outcome::Kind kind) {
    switch (kind) {
        case Outcome::Kind::delivered:
            return "delivered";
        case Outcome::Kind::retry:
            return "retry";
        case Outcome::Kind::refused:
            break;
    }
    return "refused";
}

}  // namespace

AgentDatabase::AgentDatabase(const AgentConfig &config)
    : link_(config, "aegis-agent"),
      kinds_(config.kinds.empty() ? "" : array_of(config.kinds)),
      transports_(array_of(config.transports())),
      lease_(std::to_string(config.call_seconds + kLeaseMargin) + " s") {}

bool AgentDatabase::listen(Failure *failure) {
    if (!link_.ensure(failure)) return false;
    if (listens_on_ == link_.generation()) return true;
    if (link_.ask("LISTEN aegis_outbox", failure) == nullptr) return false;
    listens_on_ = link_.generation();
    return true;
}

std::optional<std::vector<Task>> AgentDatabase::claim(Failure *failure) {
    // Before the look: what is queued from now on wakes us.
    if (!listen(failure)) return std::nullopt;
    DatabaseLink::Result result = link_.ask(
        kClaim, {kinds_.empty() ? nullptr : kinds_.c_str(), lease_.c_str(), transports_.c_str()},
        failure);
    if (result == nullptr) return std::nullopt;
    std::vector<Task> tasks;
    if (PQntuples(result.get()) == 0) return tasks;
    Task task;
    std::string *const columns[] = {&task.id,  &task.kind,    &task.transport, &task.destination,
                                    &task.url, &task.attempt, &task.lease,     &task.key};
    int column = 0;
    for (std::string *target : columns) *target = cell(result.get(), column++);
    if (!read_hex(cell(result.get(), column), &task.payload)) {
        failure->kind = Failure::Kind::refused;
        failure->message = "aegis.claim_outbound gave an answer of another shape";
        return std::nullopt;
    }
    tasks.push_back(std::move(task));
    return tasks;
}

std::optional<std::string> AgentDatabase::finish(const Task &task, const Outcome &outcome,
                                                 Failure *failure) {
    JsonObject detail;
    detail.add_some("error", outcome.error).add_some("content_type", outcome.content_type);
    if (outcome.status != 0) detail.add("status", outcome.status);
    if (outcome.retry_after != 0) detail.add("retry_after", outcome.retry_after);
    const std::string text = detail.text();
    const std::string answer = hex_of(outcome.answer);
    DatabaseLink::Result result = link_.ask(
        kFinish,
        {task.id.c_str(), task.lease.c_str(), name_of(outcome.kind), answer.c_str(), text.c_str()},
        failure);
    if (result == nullptr) return std::nullopt;
    return cell(result.get(), 0);
}

bool AgentDatabase::check(Failure *failure) {
    return link_.ask("SELECT FROM aegis.claim_outbound('{}')", failure) != nullptr;
}

void AgentDatabase::wait_for_work(std::chrono::milliseconds time, int wake_fd) {
    if (link_.connected()) {
        (void)link_.wait_for_word(time, wake_fd);
        return;
    }
    pollfd wake{wake_fd, POLLIN, 0};
    poll(&wake, 1, static_cast<int>(time.count()));
}

}  // namespace aegis::server
