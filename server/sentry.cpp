// SPDX-License-Identifier: Apache-2.0
#include "sentry.hpp"

#include "core/encoding.hpp"
#include "core/random.hpp"
#include "json.hpp"
#include "log.hpp"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <regex>

#include <curl/curl.h>

namespace aegis::server {

namespace {

constexpr size_t kMostWaiting = 64;
constexpr size_t kMostKinds = 256;
constexpr int kPerMinute = 5;
constexpr long kConnectSeconds = 2;
constexpr long kSendSeconds = 5;
constexpr int64_t kQuietSeconds = 5;
constexpr int64_t kLongestQuiet = 3600;

int64_t now_seconds() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string random_id() {
    uint8_t raw[16];
    core::random_nonce(core::ByteSpan(raw, sizeof raw));
    std::string text(32, '\0');
    core::to_hex(core::ByteView(raw, sizeof raw), text.data());
    return text;
}

std::string time_text(int64_t seconds) {
    std::time_t time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    gmtime_r(&time, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string kind_of(const ErrorReport &report) {
    return report.event + ' ' + report.method + ' ' + report.route + ' ' + report.sqlstate + ' ' +
           report.problem;
}

size_t take_header(char *data, size_t size, size_t count, void *state) {
    read_retry_after({data, size * count}, static_cast<int64_t *>(state));
    return size * count;
}

size_t drop_body(char *, size_t size, size_t count, void *) {
    return size * count;
}

struct ListDeleter {
    void operator()(curl_slist *list) const { curl_slist_free_all(list); }
};

}  // namespace

bool parse_dsn(const std::string &text, Dsn *dsn) {
    static const std::regex form(
        "(https?)://"
        "([A-Za-z0-9]{1,64})@([A-Za-z0-9.-]{1,253}|\\[[0-9a-fA-F:]+\\])(:[1-9][0-9]{0,4})?"
        "((?:/[A-Za-z0-9_.~-]+)*)/([0-9]{1,20})");
    std::smatch part;
    if (text.size() > 500 || !std::regex_match(text, part, form)) return false;
    const std::string host = part[3];
    const bool here = host == "localhost" || host == "[::1]" || host.compare(0, 4, "127.") == 0;
    if (part[1] == "http" && !here) return false;
    dsn->key = part[2];
    dsn->url = part[1].str() + "://" + host + part[4].str() + part[5].str() + "/api/" +
               part[6].str() + "/envelope/";
    return true;
}

// By hand: a line may have 100 kB, and std::regex calls itself for each character.
void read_retry_after(std::string_view line, int64_t *seconds) {
    constexpr std::string_view name = "retry-after:", blanks = " \t\r\n";
    constexpr size_t kMostDigits = 6;
    if (line.size() < name.size() ||
        !std::equal(name.begin(), name.end(), line.begin(),
                    [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); }))
        return;
    line.remove_prefix(name.size());
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    line = line.substr(0, line.find_last_not_of(blanks) + 1);
    if (line.empty() || line.size() > kMostDigits ||
        line.find_first_not_of("0123456789") != std::string_view::npos)
        return;
    *seconds = std::stoll(std::string(line));
}

std::vector<Setting> sentry_settings(SentryConfig *config) {
    return {{"sentry", "dsn", &config->dsn},
            {"sentry", "ca", &config->ca},
            {"sentry", "environment", &config->environment}};
}

void check_sentry(const SentryConfig &config, const Settings &settings) {
    Dsn dsn;
    if (!config.dsn.empty() && !parse_dsn(config.dsn, &dsn))
        fail_config(settings.place("sentry.dsn"), "\"sentry.dsn\" is no DSN",
                    "Use https://KEY@HOST/PROJECT; http only to this machine.");
    if (config.environment.empty() || config.environment.size() > 64 ||
        config.environment.find_first_of(" \t\r\n/") != std::string::npos)
        fail_config(settings.place("sentry.environment"),
                    "\"sentry.environment\" is no name of an environment",
                    "Use up to 64 characters without blanks and \"/\".");
}

ErrorReport report_of(std::string_view event,
                      const std::vector<std::pair<std::string_view, std::string>> &fields) {
    ErrorReport report;
    report.event = event;
    const std::pair<std::string_view, std::string *> known[] = {
        {"route", &report.route},           {"method", &report.method},
        {"problem", &report.problem},       {"sqlstate", &report.sqlstate},
        {"request_id", &report.request_id}, {"trace_id", &report.trace_id}};
    for (const auto &[name, value] : fields) {
        for (const auto &[wanted, place] : known)
            if (name == wanted) *place = value;
        if (name == "status") report.status = std::atoi(value.c_str());
    }
    return report;
}

bool Sampler::pass(const std::string &kind, int64_t now, int64_t *suppressed) {
    // Whoever makes kinds up does not make this grow.
    if (windows_.size() >= kMostKinds && windows_.find(kind) == windows_.end()) windows_.clear();
    Window &window = windows_[kind];
    if (window.minute != now / 60) {
        window.minute = now / 60;
        window.passed = 0;
    }
    if (window.passed >= kPerMinute) {
        ++window.suppressed;
        return false;
    }
    ++window.passed;
    *suppressed = window.suppressed;
    window.suppressed = 0;
    return true;
}

std::string envelope_of(const ErrorReport &report, int64_t suppressed, const SentryConfig &config,
                        std::string_view program, std::string_view version) {
    const int64_t now = now_seconds();
    const std::string id = random_id();
    const std::string value = !report.sqlstate.empty()  ? report.sqlstate
                              : !report.problem.empty() ? report.problem
                              : report.status != 0      ? std::to_string(report.status)
                                                        : report.event;
    JsonObject tags;
    tags.add("program", program)
        .add_some("problem", report.problem)
        .add_some("sqlstate", report.sqlstate)
        .add_some("status", report.status != 0 ? std::to_string(report.status) : "")
        .add_some("request_id", report.request_id);
    JsonObject event;
    event.add("event_id", id)
        .add("timestamp", time_text(now))
        .add("platform", "native")
        .add("level", "error")
        .add("logger", program)
        .add("release", std::string("aegis@") + std::string(version))
        .add("environment", config.environment)
        .add_some("transaction", report.route.empty() ? "" : report.method + " " + report.route)
        .add_json("tags", tags.text())
        .add_json("exception",
                  "{\"values\":[" +
                      JsonObject().add("type", report.event).add("value", value).text() + "]}");
    if (report.trace_id.size() == 32)
        event.add_json("contexts", "{\"trace\":" +
                                       JsonObject()
                                           .add("trace_id", report.trace_id)
                                           .add("span_id", report.trace_id.substr(16))
                                           .text() +
                                       "}");
    if (suppressed > 0) event.add_json("extra", JsonObject().add("suppressed", suppressed).text());
    const std::string payload = scrubbed(event.text());
    return JsonObject().add("event_id", id).add("sent_at", time_text(now)).text() + "\n" +
           JsonObject()
               .add("type", "event")
               .add("length", static_cast<int64_t>(payload.size()))
               .text() +
           "\n" + payload + "\n";
}

Sentry::Sentry(SentryConfig config, std::string program, std::string version)
    : config_(std::move(config)), program_(std::move(program)), version_(std::move(version)) {
    if (!parse_dsn(config_.dsn, &dsn_)) return;
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    thread_ = std::thread([this] { run(); });
    report_errors_to(
        [this](std::string_view event, const auto &fields) { take(report_of(event, fields)); });
}

Sentry::~Sentry() {
    if (!thread_.joinable()) return;
    report_errors_to(nullptr);
    {
        std::lock_guard<std::mutex> guard(lock_);
        stopping_ = true;
    }
    filled_.notify_one();
    thread_.join();
}

// On the thread that logs: it looks, counts, and never waits for the network.
void Sentry::take(ErrorReport report) {
    {
        std::lock_guard<std::mutex> guard(lock_);
        int64_t suppressed = 0;
        if (stopping_ || !sampler_.pass(kind_of(report), now_seconds(), &suppressed)) return;
        if (queue_.size() >= kMostWaiting || std::chrono::steady_clock::now() < quiet_until_) {
            ++dropped_;
            return;
        }
        queue_.push_back({std::move(report), suppressed + dropped_});
        dropped_ = 0;
    }
    filled_.notify_one();
}

void Sentry::run() {
    std::chrono::steady_clock::time_point deadline{};
    for (;;) {
        Waiting next;
        {
            std::unique_lock<std::mutex> guard(lock_);
            filled_.wait(guard, [this] { return stopping_ || !queue_.empty(); });
            const auto now = std::chrono::steady_clock::now();
            if (stopping_ && deadline == std::chrono::steady_clock::time_point())
                deadline = now + std::chrono::seconds(2);
            if (queue_.empty() || (stopping_ && now > deadline)) return;
            next = std::move(queue_.front());
            queue_.pop_front();
        }
        try {
            const int64_t quiet =
                send(envelope_of(next.report, next.suppressed, config_, program_, version_));
            if (quiet > 0) be_quiet(quiet);
        } catch (const std::exception &error) {
            // Quiet first, so that this is not reported in its turn.
            be_quiet(kQuietSeconds);
            log_failure("sentry_failed", error);
        }
    }
}

void Sentry::be_quiet(int64_t seconds) {
    std::lock_guard<std::mutex> guard(lock_);
    quiet_until_ = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    dropped_ += static_cast<int64_t>(queue_.size());
    queue_.clear();
}

int64_t Sentry::send(const std::string &envelope) {
    std::unique_ptr<CURL, void (*)(CURL *)> easy(curl_easy_init(), curl_easy_cleanup);
    if (easy == nullptr) return 1;
    const std::string auth = "X-Sentry-Auth: Sentry sentry_version=7, sentry_client=aegis/" +
                             version_ + ", sentry_key=" + dsn_.key;
    std::unique_ptr<curl_slist, ListDeleter> headers(
        curl_slist_append(nullptr, "Content-Type: application/x-sentry-envelope"));
    if (headers != nullptr) (void)curl_slist_append(headers.get(), auth.c_str());
    int64_t retry_after = 0;
    auto set = [&](CURLoption option, auto value) {
        (void)curl_easy_setopt(easy.get(), option, value);
    };
    set(CURLOPT_URL, dsn_.url.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_PROXY, "");
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));
    if (!config_.ca.empty()) set(CURLOPT_CAINFO, config_.ca.c_str());
    set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    set(CURLOPT_TIMEOUT, kSendSeconds);
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_POSTFIELDS, envelope.data());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(envelope.size()));
    set(CURLOPT_HEADERFUNCTION, take_header);
    set(CURLOPT_HEADERDATA, &retry_after);
    set(CURLOPT_WRITEFUNCTION, drop_body);
    // A collector that is away is no error of ours: to log it as one would report it again.
    if (curl_easy_perform(easy.get()) != CURLE_OK) return kQuietSeconds;
    long status = 0;
    (void)curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status == 429) return std::clamp<int64_t>(retry_after, 1, kLongestQuiet);
    return status >= 500 ? kQuietSeconds : 0;
}

}  // namespace aegis::server
