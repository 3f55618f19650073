// SPDX-License-Identifier: Apache-2.0
#include "response.hpp"

#include <algorithm>
#include <ctime>

namespace aegis::server {

namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string lowered(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

bool is_named(std::string_view name, std::string_view wanted) {
    return std::equal(name.begin(), name.end(), wanted.begin(), wanted.end(),
                      [](char a, char b) { return lower(a) == lower(b); });
}

bool is_field_name(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
}

bool is_field_value(std::string_view value) {
    return std::all_of(value.begin(), value.end(),
                       [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); });
}

// Framing and connection fields are the gateway's own; the security fields hold for every route.
constexpr std::string_view kOwn[] = {"accept-ranges",
                                     "connection",
                                     "content-encoding",
                                     "content-length",
                                     "content-security-policy",
                                     "cross-origin-opener-policy",
                                     "cross-origin-resource-policy",
                                     "date",
                                     "keep-alive",
                                     "permissions-policy",
                                     "proxy-connection",
                                     "ratelimit",
                                     "ratelimit-policy",
                                     "referrer-policy",
                                     "server",
                                     "strict-transport-security",
                                     "te",
                                     "trailer",
                                     "transfer-encoding",
                                     "upgrade",
                                     "x-content-type-options",
                                     "x-request-id"};

constexpr std::string_view kSecurityFields =
    "\r\n"
    "cross-origin-opener-policy: same-origin\r\n"
    "cross-origin-resource-policy: same-origin\r\n"
    "permissions-policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()\r\n"
    "referrer-policy: no-referrer\r\n"
    "x-content-type-options: nosniff\r\n";
constexpr std::string_view kPolicy =
    "content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n";
constexpr std::string_view kStrictTransport =
    "strict-transport-security: max-age=63072000; includeSubDomains; preload\r\n";

// Made once in a second by each thread.
void append_http_date(std::string *out) {
    thread_local std::time_t made = 0;
    thread_local char text[64];
    std::time_t now = std::time(nullptr);
    if (now != made) {
        std::tm parts{};
        gmtime_r(&now, &parts);
        // Not strftime's %a and %b: they follow the locale.
        static constexpr const char *days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static constexpr const char *months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday],
                 parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour,
                 parts.tm_min, parts.tm_sec);
        made = now;
    }
    *out += text;
}

}  // namespace

const std::string *Response::find(std::string_view lower_case_name) const {
    for (const auto &field : headers) {
        if (is_named(field.first, lower_case_name)) return &field.second;
    }
    return nullptr;
}

void Response::set(std::string name, std::string value) {
    headers.erase(std::remove_if(headers.begin(), headers.end(),
                                 [&](const auto &field) { return is_named(field.first, name); }),
                  headers.end());
    headers.emplace_back(std::move(name), std::move(value));
}

const char *reason(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 303:
            return "See Other";
        case 304:
            return "Not Modified";
        case 308:
            return "Permanent Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 411:
            return "Length Required";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 421:
            return "Misdirected Request";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Unknown";
    }
}

bool take_headers(const std::vector<std::string> &flat, Response *response) {
    if (flat.size() % 2 != 0) return false;
    bool good = true;
    response->headers.reserve(flat.size() / 2);
    for (size_t at = 0; at < flat.size(); at += 2) {
        std::string name = lowered(flat[at]);
        bool own = std::find(std::begin(kOwn), std::end(kOwn), name) != std::end(kOwn);
        if (own || !is_field_name(name) || !is_field_value(flat[at + 1])) {
            good = false;
            continue;
        }
        response->headers.emplace_back(std::move(name), flat[at + 1]);
    }
    return good;
}

void add_standard_headers(std::string_view request_id, bool secure, Response *response) {
    std::string &out = response->standard;
    out.reserve(768);
    out += "date: ";
    append_http_date(&out);
    out += "\r\nx-request-id: ";
    out += request_id;
    out += kSecurityFields;
    if (response->find("cache-control") == nullptr) out += "cache-control: no-store\r\n";
    if (response->find("content-security-policy") == nullptr) out += kPolicy;
    if (secure) out += kStrictTransport;
}

std::string serialise(const Response &response, bool close, bool with_body) {
    constexpr size_t around = 128;  // status line, length, connection
    size_t bytes = response.standard.size() + (with_body ? response.body.size() : 0) + around;
    for (const auto &[name, value] : response.headers) bytes += name.size() + value.size() + 4;
    std::string out;
    out.reserve(bytes);
    out += "HTTP/1.1 ";
    out += std::to_string(response.status);
    out += ' ';
    out += reason(response.status);
    out += "\r\n";
    out += response.standard;
    for (const auto &[name, value] : response.headers) {
        out += name;
        out += ": ";
        out += value;
        out += "\r\n";
    }
    if (response.status != 204) {  // which has no body, and so no length
        out += "content-length: ";
        out += std::to_string(response.body.size());
        out += "\r\n";
    }
    out += close ? "connection: close\r\n\r\n" : "\r\n";
    if (with_body && response.status != 204) out += response.body;
    return out;
}

}  // namespace aegis::server
