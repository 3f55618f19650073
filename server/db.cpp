// SPDX-License-Identifier: Apache-2.0
#include "db.hpp"

#include "json_reader.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>

namespace aegis::server {

namespace {

constexpr char kStatement[] = "aegis_handle";
constexpr char kHandle[] = "SELECT status, headers, body FROM aegis.handle($1, $2, $3, $4, $5, $6)";
constexpr char kRoutes[] =
    "SELECT method, path, public, body_limit, replica_ok, withheld FROM aegis.routes()";
constexpr char kHealth[] = "SELECT aegis.health()";
constexpr char kReplicaState[] = "SELECT standby, streaming, lag_ms FROM aegis.replica_state()";
constexpr char kHome[] = "SELECT state, region, place FROM aegis.tenant_home($1)";
constexpr char kStatus[] = "SELECT aegis.status()";

constexpr Oid kTextOid = 25;
constexpr Oid kByteaOid = 17;
constexpr Oid kTextArrayOid = 1009;

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
    items->reserve(std::min<size_t>(count, bytes.size() / 4));  // which each has for its length
    for (uint32_t at = 0; at < count; ++at) {
        uint32_t size;
        if (!reader.get32(&size) || !reader.get(size, &items->emplace_back())) return false;
    }
    return true;
}

std::string_view cell(const PGresult *result, int row, int column) {
    return {PQgetvalue(result, row, column), static_cast<size_t>(PQgetlength(result, row, column))};
}

}  // namespace

Database::Database(const DatabaseConfig &config)
    : region_(config.region), link_(config, "aegis-server") {}

bool Database::ensure(Failure *failure, std::chrono::milliseconds patience) {
    if (!link_.ensure(failure)) return false;
    if (region_.empty() || known_on_ == link_.generation()) return true;
    const std::optional<std::string> said = ask_json(kHealth, failure, patience);
    if (!said) return false;
    if (JsonReader(*said).text("region").value_or("") != region_) {
        *failure = Failure();
        failure->message = "the database is that of another region";
        link_.give_up(*failure);
        return false;
    }
    known_on_ = link_.generation();
    return true;
}

bool Database::prepare(Failure *failure) {
    if (!ensure(failure)) return false;
    if (prepared_on_ == link_.generation()) return true;
    static constexpr Oid types[6] = {kTextOid,  kTextOid, kTextArrayOid,
                                     kByteaOid, kTextOid, kTextOid};
    if (link_.finish(PQsendPrepare(link_.connection(), kStatement, kHandle, 6, types) == 1,
                     failure) == nullptr)
        return false;
    prepared_on_ = link_.generation();
    return true;
}

// sent: from here on the server may carry it out, whatever is heard of it.
std::optional<Answer> Database::handle_once(const Call &call, bool *sent, Failure *failure) {
    if (!prepare(failure)) return std::nullopt;
    *sent = true;
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
    DatabaseLink::Result result = link_.finish(
        PQsendQueryPrepared(link_.connection(), kStatement, 6, values, lengths, formats, 1) == 1,
        failure);
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
    bool sent = false;
    std::optional<Answer> answer = handle_once(call, &sent, failure);
    bool read = call.method == "GET" || call.method == "HEAD";
    // Whether a lost statement was carried out is unknown, and only a read may be asked twice. A
    // serialization failure was rolled back as a whole.
    bool lost =
        failure->kind == Failure::Kind::unavailable && (read || !sent) && link_.may_connect();
    bool collided = failure->sqlstate == "40001" || failure->sqlstate == "40P01";
    if (!answer && (lost || collided)) {
        *failure = Failure();
        answer = handle_once(call, &sent, failure);
    }
    return answer;
}

std::optional<std::vector<Route>> Database::routes(Failure *failure) {
    DatabaseLink::Result result = link_.ask(kRoutes, failure);
    if (result == nullptr) return std::nullopt;
    std::vector<Route> routes;
    for (int row = 0; row < PQntuples(result.get()); ++row) {
        Route route;
        route.method = cell(result.get(), row, 0);
        route.path = cell(result.get(), row, 1);
        route.is_public = cell(result.get(), row, 2) == "t";
        route.body_limit = std::strtoull(PQgetvalue(result.get(), row, 3), nullptr, 10);
        route.replica_ok = cell(result.get(), row, 4) == "t";
        route.withheld = cell(result.get(), row, 5) == "t";
        routes.push_back(std::move(route));
    }
    return routes;
}

std::optional<ReplicaState> Database::replica_state(Failure *failure) {
    DatabaseLink::Result result = link_.ask(kReplicaState, failure);
    if (result == nullptr || PQntuples(result.get()) != 1) return std::nullopt;
    ReplicaState state;
    state.standby = cell(result.get(), 0, 0) == "t";
    state.streaming = cell(result.get(), 0, 1) == "t";
    if (PQgetisnull(result.get(), 0, 2) == 0)
        state.lag =
            std::chrono::milliseconds(std::strtoll(PQgetvalue(result.get(), 0, 2), nullptr, 10));
    return state;
}

std::optional<std::string> Database::ask_json(const char *statement, Failure *failure,
                                              std::chrono::milliseconds patience) {
    DatabaseLink::Result result = link_.ask(statement, failure, patience);
    if (result == nullptr || PQntuples(result.get()) != 1 || PQgetisnull(result.get(), 0, 0) == 1)
        return std::nullopt;
    return std::string(cell(result.get(), 0, 0));
}

std::optional<std::string> Database::health(Failure *failure) {
    return ask_json(kHealth, failure);
}

std::optional<std::string> Database::status(Failure *failure) {
    return ask_json(kStatus, failure);
}

bool Database::ask_home(const core::Digest &hash, std::chrono::milliseconds patience,
                        Failure *failure) {
    if (!ensure(failure, patience)) return false;
    static constexpr Oid type = kByteaOid;
    static constexpr int format = 1;
    const char *value = reinterpret_cast<const char *>(hash.bytes);
    const int length = sizeof(hash.bytes);
    home_asked_ =
        PQsendQueryParams(link_.connection(), kHome, 1, &type, &value, &length, &format, 0) == 1;
    // What does not go out now goes out with take_home().
    if (home_asked_) (void)PQflush(link_.connection());
    return true;
}

std::optional<TenantHome> Database::take_home(std::chrono::milliseconds patience,
                                              Failure *failure) {
    DatabaseLink::Result result = link_.finish(home_asked_, failure, patience);
    if (result == nullptr || PQntuples(result.get()) != 1) return std::nullopt;
    TenantHome home;
    const std::string_view state = cell(result.get(), 0, 0);
    home.state = state == "here"        ? TenantHome::State::here
                 : state == "suspended" ? TenantHome::State::suspended
                 : state == "moved"     ? TenantHome::State::moved
                                        : TenantHome::State::unknown;
    home.region = cell(result.get(), 0, 1);
    home.place = std::strtoll(PQgetvalue(result.get(), 0, 2), nullptr, 10);
    return home;
}

bool Database::listen(Failure *failure) {
    return link_.ask("LISTEN aegis_route", failure) != nullptr;
}

bool Database::wait_for_change(std::chrono::milliseconds time, int wake_fd) {
    return link_.wait_for_word(time, wake_fd);
}

}  // namespace aegis::server
