// SPDX-License-Identifier: Apache-2.0
#include "upstream.hpp"

#include "log.hpp"
#include "url.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <stdexcept>

namespace aegis::server {

namespace {

constexpr size_t kHeadBytes = 16384;

constexpr std::string_view kUpstream = "aegis-upstream";
constexpr std::string_view kUrl = "aegis-url";

// What of the client's fields the service may see. No credential is among them: who calls is what
// the database signed.
constexpr std::string_view kPassedOn[] = {"accept",          "accept-language", "content-type",
                                          "idempotency-key", "traceparent",     "tracestate"};
// What the database signed.
constexpr std::string_view kSigned[] = {"aegis-caller", "content-digest", "signature-input",
                                        "signature"};
// What of the service's fields the client may see.
constexpr std::string_view kReturned[] = {"content-language", "content-type", "etag",
                                          "last-modified", "retry-after"};
// Nothing that a browser would run or lay out as a page of ours.
constexpr std::string_view kData[] = {"application/json", "application/problem+json"};
constexpr std::string_view kFiles[] = {"application/octet-stream", "application/pdf", "text/csv",
                                       "text/plain"};

template <size_t N>
bool is_among(std::string_view value, const std::string_view (&list)[N]) {
    return std::find(std::begin(list), std::end(list), value) != std::end(list);
}

std::string_view value_of(const std::vector<std::string> &headers, std::string_view name) {
    for (size_t at = 0; at + 1 < headers.size(); at += 2)
        if (headers[at] == name) return headers[at + 1];
    return {};
}

struct EasyDeleter {
    void operator()(CURL *easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
    void operator()(curl_slist *list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListDeleter>;

void append(List *list, const std::string &line) {
    curl_slist *grown = curl_slist_append(list->get(), line.c_str());
    if (grown == nullptr) throw std::bad_alloc();
    (void)list->release();
    list->reset(grown);
}

// Each worker keeps its connections; what was set for one call is forgotten by the next.
CURL *clean_handle() {
    static thread_local std::unique_ptr<CURL, EasyDeleter> handle(curl_easy_init());
    if (handle == nullptr) throw std::bad_alloc();
    curl_easy_reset(handle.get());
    return handle.get();
}

template <typename Value>
void set(CURL *easy, CURLoption option, Value value) {
    if (curl_easy_setopt(easy, option, value) != CURLE_OK)
        throw std::runtime_error("libcurl does not know an option that is needed");
}

struct Transfer {
    size_t most_bytes;
    size_t head_bytes = 0;
    bool too_long = false;
    Response response;
};

size_t take_body(char *bytes, size_t, size_t count, void *state) {
    auto *transfer = static_cast<Transfer *>(state);
    transfer->too_long = transfer->response.body.size() + count > transfer->most_bytes;
    if (transfer->too_long) return 0;
    transfer->response.body.append(bytes, count);
    return count;
}

size_t take_head(char *bytes, size_t, size_t count, void *state) {
    auto *transfer = static_cast<Transfer *>(state);
    transfer->head_bytes += count;
    transfer->too_long = transfer->head_bytes > kHeadBytes;
    if (transfer->too_long) return 0;
    std::string_view line(bytes, count);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return count;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    line.remove_prefix(colon + 1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    const bool plain = std::all_of(line.begin(), line.end(),
                                   [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); });
    if (plain && is_among(name, kReturned)) transfer->response.set(name, std::string(line));
    return count;
}

void prepare(CURL *easy, const UpstreamConfig &config, const char *url, Transfer *transfer) {
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_URL, url);
    // As it was signed.
    set(easy, CURLOPT_PATH_AS_IS, 1L);
    set(easy, CURLOPT_PROTOCOLS_STR, is_in_clear(config.url) ? "http" : "https");
    set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    // Neither a proxy nor a password comes from the environment.
    set(easy, CURLOPT_PROXY, "");
    set(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));
    set(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!config.ca.empty()) {
        set(easy, CURLOPT_CAINFO, config.ca.c_str());
        set(easy, CURLOPT_CAPATH, static_cast<const char *>(nullptr));
    }
    set(easy, CURLOPT_CONNECTTIMEOUT, static_cast<long>(config.connect_seconds));
    set(easy, CURLOPT_TIMEOUT, static_cast<long>(config.seconds));
    set(easy, CURLOPT_WRITEFUNCTION, take_body);
    set(easy, CURLOPT_WRITEDATA, transfer);
    set(easy, CURLOPT_HEADERFUNCTION, take_head);
    set(easy, CURLOPT_HEADERDATA, transfer);
}

List fields_of(const UpstreamCall &call) {
    List list;
    for (const auto &[name, value] : *call.fields)
        if (is_among(name, kPassedOn) && !value.empty()) append(&list, name + ": " + value);
    for (std::string_view name : kSigned) {
        const std::string_view value = value_of(*call.order, name);
        if (!value.empty()) append(&list, std::string(name) + ": " + std::string(value));
    }
    append(&list, "x-request-id: " + std::string(call.request_id));
    append(&list, "user-agent: aegis-server");
    append(&list, "expect:");
    // Otherwise libcurl calls every body a form.
    if (call.body.empty()) append(&list, "content-type:");
    return list;
}

bool is_harmless(Response *response) {
    const std::string *type = response->find("content-type");
    if (type == nullptr) return response->body.empty();
    // Of several types a browser may take the last one.
    if (type->find(',') != std::string::npos) return false;
    const std::string kind = type->substr(0, type->find_first_of("; \t"));
    if (is_among(kind, kData)) return true;
    response->set("content-disposition", "attachment");
    return is_among(kind, kFiles);
}

class Turn {  // one of the calls that may be made at the same time
 public:
    Turn(std::atomic<int64_t> *busy, int64_t most) : busy_(busy), taken_(++*busy <= most) {}
    ~Turn() { --*busy_; }
    Turn(const Turn &) = delete;
    Turn &operator=(const Turn &) = delete;
    bool taken() const { return taken_; }

 private:
    std::atomic<int64_t> *const busy_;
    const bool taken_;
};

}  // namespace

Upstreams::Upstreams(const std::deque<UpstreamConfig> &configs) {
    if (!configs.empty() && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        throw std::runtime_error("libcurl could not be started");
    for (const UpstreamConfig &config : configs) all_.emplace_back().config = &config;
}

// No handler can set this field: it is in no list of what answers may carry.
bool Upstreams::is_order(const std::vector<std::string> &headers) {
    return !value_of(headers, kUpstream).empty();
}

std::optional<Response> Upstreams::call(const UpstreamCall &call, const Refusal **refusal) const {
    const std::string_view name = value_of(*call.order, kUpstream);
    const std::string url(value_of(*call.order, kUrl));
    const auto fail = [&](const Refusal &answer, std::string_view reason) {
        log_event(Level::warn, "upstream_failed",
                  {{"request_id", std::string(call.request_id)},
                   {"upstream", std::string(name)},
                   {"reason", std::string(reason)}});
        *refusal = &answer;
        return std::nullopt;
    };
    const auto found = std::find_if(all_.begin(), all_.end(),
                                    [&](const Upstream &one) { return one.config->name == name; });
    if (found == all_.end()) return fail(kUnavailable, "not configured");
    const UpstreamConfig &config = *found->config;
    if (url.compare(0, config.url.size(), config.url) != 0 || url[config.url.size()] != '/')
        return fail(kUnavailable, "configured with another address");
    const Turn turn(&found->busy, config.concurrent);
    if (!turn.taken()) return fail(kOverloaded, "too many calls");

    Transfer transfer;
    transfer.most_bytes = static_cast<size_t>(config.answer_bytes);
    CURL *easy = clean_handle();
    prepare(easy, config, url.c_str(), &transfer);
    const List fields = fields_of(call);
    set(easy, CURLOPT_HTTPHEADER, fields.get());
    const std::string method(call.method);
    if (method != "GET") {
        // On a connection of before that ends without an answer libcurl would send it again. The
        // new one is not kept: a worker has one descriptor for each service.
        set(easy, CURLOPT_FRESH_CONNECT, 1L);
        set(easy, CURLOPT_FORBID_REUSE, 1L);
        set(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
        set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
        set(easy, CURLOPT_POSTFIELDS, call.body.empty() ? "" : call.body.data());
    }
    const CURLcode code = curl_easy_perform(easy);
    if (transfer.too_long) return fail(kUpstreamFailed, "answer too long");
    if (code == CURLE_OPERATION_TIMEDOUT) return fail(kTimeout, "timeout");
    if (code != CURLE_OK) return fail(kUpstreamFailed, curl_easy_strerror(code));

    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    // It speaks of its own state with 503. What else it says of itself, of the gateway's credential
    // or of another place is nothing for the client.
    if (status == 503) return fail(kUnavailable, "status 503");
    const bool passed = status >= 200 && status <= 499 && status / 100 != 3 && status != 401 &&
                        status != 407 && status != 421;
    if (!passed) return fail(kUpstreamFailed, "status " + std::to_string(status));
    if (!is_harmless(&transfer.response)) return fail(kUpstreamFailed, "content type");
    transfer.response.status = static_cast<int>(status);
    return std::move(transfer.response);
}

}  // namespace aegis::server
