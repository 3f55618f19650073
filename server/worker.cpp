// SPDX-License-Identifier: Apache-2.0
#include "worker.hpp"

#include "log.hpp"
#include "problem.hpp"
#include "request_id.hpp"
#include "trace.hpp"

namespace aegis::server {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr auto kLingerTime = std::chrono::milliseconds(2000);
// How often a worker without work looks whether a region has a place again.
constexpr auto kLook = std::chrono::milliseconds(100);
// Requests that one connection may have answered in a row while others wait.
constexpr int kTurns = 8;

HeadLimits limits_of(const Config &config) {
    HeadLimits limits;
    limits.bytes = static_cast<size_t>(config.head_bytes);
    limits.fields = static_cast<size_t>(config.head_fields);
    return limits;
}

// Of what bodies may hold, one part for each region to wait with, half of it for each kind of
// worker, and one for all that is not waiting.
int64_t waiting_bytes(const Config &config) {
    return config.buffered_bytes / (2 * (static_cast<int64_t>(config.regions.all.size()) + 1));
}

}  // namespace

bool Queue::push(Connection *connection) {
    {
        std::lock_guard<std::mutex> guard(lock_);
        if (closed_ || waiting_.size() >= capacity_) return false;
        waiting_.push_back(connection);
        size_ = waiting_.size();
    }
    filled_.notify_one();
    return true;
}

Connection *Queue::pop(std::chrono::milliseconds time) {
    std::unique_lock<std::mutex> guard(lock_);
    filled_.wait_for(guard, time, [this] { return closed_ || !waiting_.empty(); });
    return first();
}

Connection *Queue::try_pop() {
    if (size_ == 0) return nullptr;
    std::lock_guard<std::mutex> guard(lock_);
    return first();
}

Connection *Queue::first() {
    if (waiting_.empty()) return nullptr;
    Connection *connection = waiting_.front();
    waiting_.pop_front();
    size_ = waiting_.size();
    return connection;
}

void Queue::close() {
    {
        std::lock_guard<std::mutex> guard(lock_);
        closed_ = true;
    }
    filled_.notify_all();
}

struct Workers::Hands {
    explicit Hands(const Config &config, bool sign_in_) : reach(config), sign_in(sign_in_) {}

    Reach reach;
    Front front;
    const bool sign_in;
    int turns = 0;
};

Workers::Workers(const Config &config, const Live &live, const Regions &regions,
                 const Gateway &gateway, Metrics *metrics, HeldBytes *held)
    : config_(config),
      live_(live),
      gateway_(gateway),
      metrics_(metrics),
      held_(held),
      main_(static_cast<size_t>(config.queue)),
      sign_in_(static_cast<size_t>(config.queue)),
      waiting_{{regions, false, static_cast<size_t>(config.queue), waiting_bytes(config)},
               {regions, true, static_cast<size_t>(config.queue), waiting_bytes(config)}} {}

Workers::~Workers() {
    stop();
}

void Workers::start(Poller *poller) {
    poller_ = poller;
    for (int64_t at = 0; at < config_.workers; ++at) threads_.emplace_back([this] { run(false); });
    for (int64_t at = 0; at < config_.sign_in_workers; ++at)
        threads_.emplace_back([this] { run(true); });
}

void Workers::stop() {
    main_.close();
    sign_in_.close();
    for (std::thread &thread : threads_) thread.join();
    threads_.clear();
}

void Workers::run(bool sign_in) {
    Hands hands(config_, sign_in);
    for (;;) {
        Connection *connection = nullptr;
        try {
            connection = sign_in ? next_sign_in() : next();
            if (connection == nullptr) return;
            hands.turns = 0;
            drive(connection, &hands);
        } catch (const std::exception &error) {
            // Memory or randomness ran out: this client loses its connection, the others do not.
            if (connection != nullptr) poller_->release(connection);
            log_failure("worker_failed", error);
        }
    }
}

// What was queued comes first: it waits longer than what is only ready.
Connection *Workers::next() {
    while (!main_.closed()) {
        if (Connection *connection = waiting_[0].take()) return connection;
        if (Connection *connection = main_.try_pop()) return connection;
        const Poller::Idle idle(poller_);
        Connection *connection = main_.try_pop();
        if (connection == nullptr) connection = poller_->next();
        if (connection != nullptr) return connection;
    }
    return nullptr;
}

Connection *Workers::next_sign_in() {
    while (!sign_in_.closed()) {
        if (Connection *connection = waiting_[1].take()) return connection;
        if (Connection *connection = sign_in_.pop(kLook)) return connection;
    }
    return nullptr;
}

bool Workers::queue(Connection *connection) {
    if (!main_.push(connection)) return false;
    poller_->call_worker();
    return true;
}

void Workers::take(Connection *connection) {
    if (queue(connection)) return;
    bool may_speak =
        connection->phase == Phase::head && connection->out.empty() && !connection->expired;
    if (!may_speak) {
        poller_->release(connection);
        return;
    }
    // What is known of the connection is its last request, and this is not that one.
    refuse_head(connection, kOverloaded);
    (void)connection->flush();  // what does not fit into the socket now is not waited for
    begin_linger(connection);
    poller_->park(connection, Io::want_read);
}

// What a client does not take is held for it, and counts as a body does. False: all of it together
// would be too much, and nobody can be told so on this connection any more.
bool Workers::hold_answer(Connection *connection) {
    if (!connection->held.empty()) return true;
    if (auto share = held_->take(connection->peer, connection->out.size())) {
        connection->held = std::move(*share);
        return true;
    }
    log_event(Level::warn, "answer_dropped", {{"request_id", connection->request_id}});
    return false;
}

void Workers::log(const Connection &connection, int status, std::string_view problem) {
    RequestLine line;
    line.request_id = connection.request_id;
    line.trace_id = trace_id_of(connection.head);
    line.method = connection.head.method;
    line.route = connection.verdict.shown_route;
    line.peer = connection.peer;
    line.region = connection.verdict.shown_region;
    line.problem = problem;
    line.status = status;
    if (connection.started != Clock::time_point())
        line.duration = Clock::now() - connection.started;
    // Whoever scrapes must not learn from a number what the interface tells nobody, and whoever is
    // told of errors not from a report: one without the name of a route would itself be the name.
    const Route *route = connection.verdict.route;
    line.withheld = route != nullptr && route->withheld;
    log_request(line);
    if (connection.listener == Listener::main && !line.withheld) metrics_->count(line);
}

bool Workers::park_or_release(Connection *connection, Io io) {
    if (io == Io::closed)
        poller_->release(connection);
    else
        poller_->park(connection, io);
    return false;
}

void Workers::begin_write(Connection *connection) {
    connection->phase = Phase::write;
    connection->phase_deadline = Clock::now() + seconds(connection->settings->write_seconds);
}

void Workers::begin_linger(Connection *connection) {
    connection->half_close();
    connection->phase = Phase::linger;
    connection->phase_deadline = Clock::now() + kLingerTime;
    connection->held.give_back();
    std::string().swap(connection->in);
}

// For what cannot go on: the answer is written here, the connection is closed after it.
void Workers::refuse(Connection *connection, const Refusal &refusal) {
    Response response = problem(refusal, connection->request_id);
    if (refusal.status == 405) response.set("allow", "GET, HEAD, POST, PUT, PATCH, DELETE");
    bool secure = connection->listener == Listener::main && !connection->plain_text;
    add_standard_headers(connection->request_id, secure, &response);
    connection->out = serialise(response, true);
    connection->close_after = true;
    begin_write(connection);
}

void Workers::refuse_head(Connection *connection, const Refusal &refusal) {
    connection->head = Head();
    connection->verdict = Verdict();
    connection->started = Clock::time_point();
    connection->request_id = make_request_id();
    log(*connection, refusal.status, refusal.name);
    refuse(connection, refusal);
}

void Workers::expire(Connection *connection) {
    connection->expired = false;
    bool partial = (connection->phase == Phase::head && !connection->in.empty()) ||
                   connection->phase == Phase::body;
    if (!partial) {
        poller_->release(connection);
        return;
    }
    refuse_head(connection, kRequestTimeout);
    if (connection->flush() == Io::closed) {
        poller_->release(connection);
        return;
    }
    begin_linger(connection);
    poller_->park(connection, Io::want_read);
}

void Workers::drive(Connection *connection, Hands *hands) {
    if (connection->expired) {
        expire(connection);
        return;
    }
    bool on = true;
    while (on) {
        switch (connection->phase) {
            case Phase::hello:
                on = step_hello(connection);
                break;
            case Phase::handshake:
                on = step_handshake(connection);
                break;
            case Phase::head:
                on = step_head(connection);
                break;
            case Phase::body:
                on = step_body(connection);
                break;
            case Phase::ready:
                on = step_ready(connection, hands);
                break;
            case Phase::write:
                on = step_write(connection, hands);
                break;
            case Phase::linger:
                on = step_linger(connection);
                break;
        }
    }
}

bool Workers::step_hello(Connection *connection) {
    Io io = connection->hello();
    if (io == Io::done) {
        connection->phase = Phase::handshake;
        return true;
    }
    if (io == Io::closed && connection->plain_text) {
        // The connection has no TLS yet, so this goes out in the clear, as it came.
        refuse_head(connection, kHttpsRequired);
        return true;
    }
    return park_or_release(connection, io);
}

bool Workers::step_handshake(Connection *connection) {
    Io io = connection->handshake();
    if (io != Io::done) return park_or_release(connection, io);
    connection->phase = Phase::head;
    connection->phase_deadline = Clock::now() + seconds(connection->settings->head_seconds);
    return true;
}

bool Workers::step_head(Connection *connection) {
    for (;;) {
        size_t before = connection->in.size();
        if (before > 0) {
            if (!connection->head_begun) {
                connection->head_begun = true;
                live_.refresh(&connection->settings);
                connection->phase_deadline =
                    Clock::now() + seconds(connection->settings->head_seconds);
            }
            size_t consumed = 0;
            Refusal refusal;
            HeadState state = parse_head(connection->in, limits_of(*connection->settings),
                                         &connection->head, &consumed, &refusal);
            if (state == HeadState::refused) {
                refuse_head(connection, refusal);
                return true;
            }
            if (state == HeadState::complete) {
                connection->in.erase(0, consumed);
                accept_head(connection);
                return true;
            }
        }
        // One byte more than allowed, so that "too large" can be told from "not yet".
        Io io = connection->fill(static_cast<size_t>(connection->settings->head_bytes) + 1);
        if (connection->in.size() == before) return park_or_release(connection, io);
    }
}

void Workers::accept_head(Connection *connection) {
    connection->started = Clock::now();
    const Head &head = connection->head;
    const std::string *given = head.find("x-request-id");
    connection->request_id = given != nullptr && is_request_id(*given) ? *given : make_request_id();
    connection->verdict = gateway_.judge(*connection);
    connection->close_after =
        head.close || poller_->draining() ||
        connection->served + 1 >= connection->settings->requests_per_connection;
    size_t length = head.content_length;
    if (!connection->verdict.early && length > 0) {
        if (auto share = held_->take(connection->peer, length)) {
            connection->held = std::move(*share);
        } else {
            connection->verdict.early = problem(kOverloaded, connection->request_id);
            connection->verdict.problem = kOverloaded.name;
        }
    }
    connection->phase = Phase::body;
    connection->phase_deadline = connection->started + seconds(connection->settings->body_seconds);
    if (connection->verdict.early) {
        // A body that is not there yet is not waited for, and what comes after it cannot be read.
        if (connection->in.size() < length) connection->close_after = true;
        connection->phase = Phase::ready;
    }
}

bool Workers::step_body(Connection *connection) {
    size_t length = connection->head.content_length;
    while (connection->in.size() < length) {
        size_t before = connection->in.size();
        Io io = connection->fill(length);
        if (connection->in.size() == before) return park_or_release(connection, io);
    }
    connection->phase = Phase::ready;
    return true;
}

bool Workers::step_ready(Connection *connection, Hands *hands) {
    Verdict &verdict = connection->verdict;
    if (!verdict.early && verdict.anonymous_write && !hands->sign_in) {
        if (sign_in_.push(connection)) return false;
        verdict.early = problem(kOverloaded, connection->request_id);
        verdict.problem = kOverloaded.name;
    }
    size_t length = connection->head.content_length;
    std::optional<Region::Visit> visit;
    if (!verdict.early && gateway_.has_regions()) {
        RegionWait &waiting = waiting_[hands->sign_in];
        const auto behind = [&](size_t region) { return waiting.is_waited_for(region); };
        const std::string_view body = std::string_view(connection->in).substr(0, length);
        if (gateway_.enter(connection, body, &hands->reach, hands->sign_in, behind, &visit) ==
            Region::Door::full) {
            if (waiting.push(connection)) return false;
            verdict.early = problem(kOverloaded, connection->request_id);
            verdict.problem = kOverloaded.name;
        }
    }
    int status = 0;
    auto answer = [&](const std::string &body) {
        Response response = verdict.early ? std::move(*verdict.early)
                                          : gateway_.forward(*connection, body, &hands->reach,
                                                             &visit, &verdict.problem);
        add_standard_headers(connection->request_id, connection->listener == Listener::main,
                             &response);
        response.standard += verdict.rate;
        status = response.status;
        return response;
    };
    if (verdict.early || length == 0) {
        // Without a body to take in there is nothing that httplib would do.
        connection->out =
            serialise(answer({}), connection->close_after, connection->head.method != "HEAD");
    } else {
        std::string_view body = std::string_view(connection->in).substr(0, length);
        const Config &settings = *connection->settings;
        hands->front.keep_alive(settings.idle_seconds, settings.requests_per_connection);
        connection->out =
            hands->front.respond(connection->head.method, body, connection->close_after, answer);
    }
    connection->in.erase(0, length);
    if (connection->in.empty() && connection->in.capacity() > 65536) connection->in.shrink_to_fit();
    connection->held.give_back();
    log(*connection, status, verdict.problem);
    ++connection->served;
    begin_write(connection);
    return true;
}

bool Workers::step_write(Connection *connection, Hands *hands) {
    Io io = connection->flush();
    if (io != Io::done && io != Io::closed && !hold_answer(connection)) io = Io::closed;
    if (io != Io::done) return park_or_release(connection, io);
    connection->held.give_back();
    if (connection->close_after) {
        begin_linger(connection);
        return true;
    }
    connection->phase = Phase::head;
    connection->head_begun = false;
    connection->verdict = Verdict();
    connection->phase_deadline = Clock::now() + seconds(connection->settings->idle_seconds);
    // Next in line: other connections after some turns, and never on a sign-in worker.
    if (!connection->in.empty() && (hands->sign_in || ++hands->turns >= kTurns) &&
        queue(connection))
        return false;
    if (connection->in.empty()) {
        if (connection->has_pending()) return true;
        poller_->park(connection, Io::want_read);
        return false;
    }
    return true;
}

bool Workers::step_linger(Connection *connection) {
    return park_or_release(connection, connection->discard());
}

}  // namespace aegis::server
