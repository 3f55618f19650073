// SPDX-License-Identifier: Apache-2.0
#include "outbound_http.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <regex>
#include <set>
#include <stdexcept>

#include <unistd.h>

#include "json_reader.hpp"

namespace aegis::server {

namespace {

constexpr size_t kHeadBytes = 65536;
constexpr int64_t kUsualAnswerBytes = 65536;
constexpr size_t kContentTypeBytes = 100;

struct Call {  // what the payload says
    std::string method;
    std::string url;
    std::map<std::string, std::string> headers;
    std::string body;
    std::vector<int64_t> accept;
    size_t answer_bytes = kUsualAnswerBytes;
};

struct Transfer {  // what libcurl's callbacks see
    const AllowedDestination *allowed;
    const Deadline *deadline;
    size_t answer_bytes;
    size_t head_bytes = 0;
    std::string answer;
    bool is_address_refused = false;
    bool is_too_long = false;
};

bool is_token(const std::string &text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_';
    });
}

// Whatever steers the connection is ours to say.
bool is_reserved(std::string name) {
    std::transform(name.begin(), name.end(), name.begin(), ::tolower);
    static const std::set<std::string> reserved = {"host",
                                                   "content-length",
                                                   "transfer-encoding",
                                                   "connection",
                                                   "expect",
                                                   "te",
                                                   "trailer",
                                                   "upgrade",
                                                   "cookie",
                                                   "proxy-authorization",
                                                   "accept-encoding",
                                                   "idempotency-key",
                                                   "keep-alive"};
    return reserved.count(name) != 0;
}

bool is_plain(const std::string &text) {
    return std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

bool read_call(const Task &task, const AgentConfig &config, Call *call) {
    const JsonReader reader(task.payload);
    if (!reader.has_only({"method", "path", "headers", "body", "accept", "answer_bytes"}))
        return false;
    call->method = reader.text("method").value_or("");
    const std::string path = reader.text("path").value_or("");
    const bool has_body = reader.has("body");
    if ((call->method != "GET" && call->method != "POST" && call->method != "PUT") ||
        has_body != (call->method != "GET") || (reader.has("path") && !reader.text("path")) ||
        !is_well_formed_path(path))
        return false;
    call->url = task.url;
    if (!path.empty() && call->url.back() == '/') call->url.pop_back();
    call->url += path;
    if (has_body) {
        std::optional<std::string> body = reader.bytes("body");
        if (!body) return false;
        call->body = std::move(*body);
    }
    if (reader.has("headers")) {
        auto headers = reader.texts("headers");
        if (!headers) return false;
        for (const auto &[name, value] : *headers)
            if (!is_token(name) || is_reserved(name) || !is_plain(value)) return false;
        call->headers = std::move(*headers);
    }
    if (reader.has("accept")) {
        auto accept = reader.numbers("accept");
        if (!accept) return false;
        call->accept = std::move(*accept);
    }
    if (reader.has("answer_bytes")) {
        std::optional<int64_t> bytes = reader.number("answer_bytes");
        if (!bytes || *bytes < 0) return false;
        call->answer_bytes = static_cast<size_t>(std::min(*bytes, config.answer_bytes));
    }
    return true;
}

curl_socket_t open_socket(void *state, curlsocktype, curl_sockaddr *address) {
    auto *transfer = static_cast<Transfer *>(state);
    std::optional<Address> wanted = address_of(&address->addr);
    if (!wanted || !is_allowed(*wanted, transfer->allowed->networks)) {
        transfer->is_address_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

size_t take_body(char *bytes, size_t, size_t count, void *state) {
    auto *transfer = static_cast<Transfer *>(state);
    if (transfer->answer.size() + count > transfer->answer_bytes) {
        transfer->is_too_long = true;
        return 0;
    }
    transfer->answer.append(bytes, count);
    return count;
}

size_t take_head(char *, size_t, size_t count, void *state) {
    auto *transfer = static_cast<Transfer *>(state);
    transfer->head_bytes += count;
    if (transfer->head_bytes > kHeadBytes) {
        transfer->is_too_long = true;
        return 0;
    }
    return count;
}

int look_on(void *state, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return is_over(*static_cast<Transfer *>(state)->deadline) ? 1 : 0;
}

struct EasyDeleter {
    void operator()(CURL *easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
    void operator()(curl_slist *list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using List = std::unique_ptr<curl_slist, ListDeleter>;

void append(List *list, const std::string &line) {
    curl_slist *grown = curl_slist_append(list->get(), line.c_str());
    if (grown == nullptr) throw std::bad_alloc();
    (void)list->release();
    list->reset(grown);
}

template <typename Value>
void set(const Easy &easy, CURLoption option, Value value) {
    if (curl_easy_setopt(easy.get(), option, value) != CURLE_OK)
        throw std::runtime_error("libcurl does not know an option that is needed");
}

void set_walls(const Easy &easy, const AgentConfig &config, Transfer *transfer) {
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_PROTOCOLS_STR, "https");
    set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    // Neither a proxy nor a password comes from the environment.
    set(easy, CURLOPT_PROXY, "");
    set(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));
    set(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!transfer->allowed->ca.empty()) {
        set(easy, CURLOPT_CAINFO, transfer->allowed->ca.c_str());
        set(easy, CURLOPT_CAPATH, static_cast<const char *>(nullptr));
    }
    set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(easy, CURLOPT_CONNECTTIMEOUT, static_cast<long>(config.connect_seconds_out));
    set(easy, CURLOPT_TIMEOUT, static_cast<long>(config.call_seconds));
    set(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    set(easy, CURLOPT_OPENSOCKETDATA, transfer);
    set(easy, CURLOPT_WRITEFUNCTION, take_body);
    set(easy, CURLOPT_WRITEDATA, transfer);
    set(easy, CURLOPT_HEADERFUNCTION, take_head);
    set(easy, CURLOPT_HEADERDATA, transfer);
    set(easy, CURLOPT_NOPROGRESS, 0L);
    set(easy, CURLOPT_XFERINFOFUNCTION, look_on);
    set(easy, CURLOPT_XFERINFODATA, transfer);
}

Outcome failure_of(CURLcode code, const Transfer &transfer) {
    if (transfer.is_address_refused) return Outcome::refused("address_not_allowed");
    if (transfer.is_too_long) return Outcome::refused("answer_too_long");
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
            return Outcome::retry("host_unknown");
        case CURLE_COULDNT_CONNECT:
            return Outcome::retry("not_reachable");
        case CURLE_OPERATION_TIMEDOUT:
            return Outcome::retry("timeout");
        // Certificates are renewed and roots replaced: what is wrong today may be right tomorrow.
        case CURLE_PEER_FAILED_VERIFICATION:
            return Outcome::retry("certificate_wrong");
        case CURLE_SSL_CACERT_BADFILE:
            return Outcome::retry("authority_unreadable");
        case CURLE_SSL_CONNECT_ERROR:
            return Outcome::retry("tls_failed");
        case CURLE_ABORTED_BY_CALLBACK:
            return Outcome::retry("stopping");
        default:
            return Outcome::retry("connection_lost");
    }
}

Outcome outcome_of(const Easy &easy, const Call &call, Transfer *transfer) {
    Outcome outcome;
    long status = 0;
    curl_off_t retry_after = 0;
    const char *content_type = nullptr;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy.get(), CURLINFO_RETRY_AFTER, &retry_after);
    curl_easy_getinfo(easy.get(), CURLINFO_CONTENT_TYPE, &content_type);
    outcome.status = status;
    outcome.retry_after = std::clamp<int64_t>(retry_after, 0, 86400);
    const bool is_answer = call.accept.empty() ? status >= 200 && status < 300
                                               : std::find(call.accept.begin(), call.accept.end(),
                                                           status) != call.accept.end();
    if (is_answer) {
        outcome.kind = Outcome::Kind::delivered;
        outcome.answer = std::move(transfer->answer);
        if (content_type != nullptr && std::string_view(content_type).size() <= kContentTypeBytes &&
            is_plain(content_type))
            outcome.content_type = content_type;
        outcome.retry_after = 0;
    } else if (status >= 300 && status < 400) {
        outcome.kind = Outcome::Kind::refused;
        outcome.error = "redirect_refused";
    } else {
        const bool is_passing = status >= 500 || status == 408 || status == 425 || status == 429;
        outcome.kind = is_passing ? Outcome::Kind::retry : Outcome::Kind::refused;
        outcome.error = "status_" + std::to_string(status);
    }
    return outcome;
}

}  // namespace

void prepare_http() {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        throw std::runtime_error("libcurl could not be started");
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
    if ((version->features & CURL_VERSION_SSL) == 0 ||
        (version->features & CURL_VERSION_ASYNCHDNS) == 0)
        throw std::runtime_error("libcurl has no TLS, or cannot give up looking for a name");
}

Outcome carry_http(const AgentConfig &config, const Task &task, const Deadline &deadline) {
    Call call;
    if (!is_well_formed_url(task.url) || !read_call(task, config, &call))
        return Outcome::refused("payload_malformed");
    const AllowedDestination *allowed = config.find_destination(call.url);
    if (allowed == nullptr) return Outcome::refused("destination_not_allowed");

    Easy easy(curl_easy_init());
    if (easy == nullptr) throw std::bad_alloc();
    Transfer transfer{allowed, &deadline, call.answer_bytes, 0, {}, false, false};
    set_walls(easy, config, &transfer);
    set(easy, CURLOPT_URL, call.url.c_str());
    List headers;
    for (const auto &[name, value] : call.headers)
        // With a semicolon libcurl sends a header that is empty.
        append(&headers, value.empty() ? name + ";" : name + ": " + value);
    append(&headers, "Idempotency-Key: \"" + task.key + "\"");
    append(&headers, "Expect:");
    append(&headers, "User-Agent: aegis-agent");
    if (call.method != "GET") {
        set(easy, CURLOPT_CUSTOMREQUEST, call.method.c_str());
        set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
        set(easy, CURLOPT_POSTFIELDS, call.body.c_str());
        // Otherwise libcurl calls every body a form.
        if (call.headers.count("content-type") == 0) append(&headers, "Content-Type:");
    }
    set(easy, CURLOPT_HTTPHEADER, headers.get());
    const CURLcode code = curl_easy_perform(easy.get());
    if (code != CURLE_OK) return failure_of(code, transfer);
    return outcome_of(easy, call, &transfer);
}

}  // namespace aegis::server
