// SPDX-License-Identifier: Apache-2.0
#include "stream.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace aegis::server {

namespace {

class RequestStream : public compat::MemoryStream {
 public:
    RequestStream(std::string_view head, std::string_view body) : head_(head), body_(body) {}

    ssize_t read(char *to, size_t size) override {
        std::string_view &from = head_.empty() ? body_ : head_;
        size_t count = std::min(size, from.size());
        std::memcpy(to, from.data(), count);
        from.remove_prefix(count);
        return static_cast<ssize_t>(count);
    }
    ssize_t write(const char *from, size_t size) override {
        out.append(from, size);
        return static_cast<ssize_t>(size);
    }

    std::string out;

 private:
    std::string_view head_;
    std::string_view body_;
};

}  // namespace

Front::Front() {
    auto handler = [this](const httplib::Request &request, httplib::Response &response) {
        Response given = (*answer_)(request.body);
        response.status = given.status;
        for (auto &[name, value] : given.headers) response.headers.emplace(name, value);
        response.headers.emplace("accept-ranges", "none");  // httplib would offer bytes
        response.body = std::move(given.body);
        standard_ = std::move(given.standard);
        answered_ = true;
    };
    // The path that httplib is given is always "/": routes are the gateway's own.
    server_.Get("/", handler);
    server_.Post("/", handler);
    server_.Put("/", handler);
    server_.Patch("/", handler);
    server_.Delete("/", handler);
    server_.Options("/", handler);
}

void Front::keep_alive(int64_t seconds, int64_t requests) {
    server_.set_keep_alive_timeout(static_cast<time_t>(seconds));
    server_.set_keep_alive_max_count(static_cast<size_t>(requests));
}

std::string Front::respond(std::string_view method, std::string_view body, bool close,
                           const Answer &answer) {
    standard_.clear();
    std::string head(method);
    head += " / HTTP/1.1\r\nHost: aegis\r\n";
    if (method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE")
        head += "Content-Type: application/octet-stream\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n";
    head += "\r\n";
    RequestStream stream(head, body);
    answer_ = &answer;
    answered_ = false;
    bool processed = server_.process(stream, close);
    answer_ = nullptr;
    size_t status_line = stream.out.find("\r\n");
    if (!processed || !answered_ || status_line == std::string::npos)
        throw std::runtime_error("httplib did not answer a request");
    // Not through httplib, which would sort and format each of these fields by itself.
    stream.out.insert(status_line + 2, standard_);
    return std::move(stream.out);
}

void Front::self_check() {
    std::string seen;
    std::string bytes = respond("POST", "canary", false, [&](const std::string &body) {
        seen = body;
        Response response;
        response.status = 418;
        response.set("x-canary", "sings");
        response.body = "alive";
        return response;
    });
    std::string lowered = bytes;
    std::transform(lowered.begin(), lowered.end(), lowered.begin(), ::tolower);
    if (seen != "canary" || bytes.compare(0, 13, "HTTP/1.1 418 ") != 0 ||
        lowered.find("\r\nx-canary: sings\r\n") == std::string::npos ||
        lowered.find("\r\ncontent-length: 5\r\n") == std::string::npos ||
        bytes.substr(bytes.size() - 9) != "\r\n\r\nalive")
        throw std::runtime_error("cpp-httplib was compiled with other flags than this program");
}

}  // namespace aegis::server
