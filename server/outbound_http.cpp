// SPDX-License-Identifier: Apache-2.0
#include "outbound_http.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include "json_reader.hpp"
#include "outbound_curl.hpp"

namespace aegis::server {

namespace {

constexpr size_t kHeadBytes = 65536;
constexpr int64_t kUsualAnswerBytes = 65536;
constexpr size_t kContentTypeBytes = 100;

struct Call {  // what the payload says
    std::string method;
    std::string url;  // without its query
    std::map<std::string, std::string> query;
    std::map<std::string, std::string> headers;
    std::string body;
    std::vector<int64_t> accept;
    size_t answer_bytes = kUsualAnswerBytes;
};

struct Transfer : Walls {
    size_t answer_bytes = 0;
    size_t head_bytes = 0;
    std::string answer;
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

// It stands between quotes in a header.
bool is_quotable(const std::string &text) {
    return is_plain(text) && text.find_first_of("\"\\") == std::string::npos;
}

bool read_call(const Task &task, const AgentConfig &config, Call *call) {
    const JsonReader reader(task.payload);
    if (!reader.has_only({"method", "path", "query", "headers", "body", "accept", "answer_bytes"}))
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
    if (reader.has("query")) {
        auto query = reader.texts("query");
        if (!query) return false;
        call->query = std::move(*query);
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

std::string with_query(const Easy &easy, const Call &call) {
    std::string url = call.url;
    auto append_escaped = [&](const std::string &text) {
        char *escaped = curl_easy_escape(easy.get(), text.c_str(), static_cast<int>(text.size()));
        if (escaped == nullptr) throw std::bad_alloc();
        url += escaped;
        curl_free(escaped);
    };
    char separator = '?';
    for (const auto &[name, value] : call.query) {
        url += separator;
        append_escaped(name);
        url += '=';
        append_escaped(value);
        separator = '&';
    }
    return url;
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

Outcome carry_http(const AgentConfig &config, const Task &task, const Deadline &deadline) {
    Call call;
    if (!is_well_formed_url(task.url) || !is_quotable(task.key) || !read_call(task, config, &call))
        return Outcome::refused("payload_malformed");
    const AllowedDestination *allowed = config.find_destination(call.url);
    if (allowed == nullptr) return Outcome::refused("destination_not_allowed");

    Transfer transfer;
    transfer.networks = &allowed->networks;
    transfer.deadline = &deadline;
    transfer.answer_bytes = call.answer_bytes;
    const Easy easy =
        make_transfer(config, is_in_clear(call.url) ? "http" : "https", allowed->ca, &transfer);
    set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(easy, CURLOPT_WRITEFUNCTION, take_body);
    set(easy, CURLOPT_WRITEDATA, &transfer);
    set(easy, CURLOPT_HEADERFUNCTION, take_head);
    set(easy, CURLOPT_HEADERDATA, &transfer);
    const std::string url = with_query(easy, call);
    set(easy, CURLOPT_URL, url.c_str());
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
