// SPDX-License-Identifier: Apache-2.0
#include "head.hpp"

#include <algorithm>
#include <array>

namespace aegis::server {

namespace {

constexpr bool is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
// Every byte of every request is looked up in one of these.
class ByteSet {
 public:
    constexpr explicit ByteSet(std::string_view others) {
        for (size_t at = 0; at < has_.size(); ++at) {
            char c = static_cast<char>(at);
            has_[at] = is_alpha(c) || is_digit(c);
        }
        for (char c : others) has_[static_cast<unsigned char>(c)] = true;
    }
    constexpr bool has(char c) const { return has_[static_cast<unsigned char>(c)]; }

 private:
    std::array<bool, 256> has_{};
};

constexpr ByteSet kTokenBytes("!#$%&'*+-.^_`|~");  // RFC 9110, section 5.6.2
constexpr ByteSet kPathBytes("-._~/:@");

bool is_token(char c) {
    return kTokenBytes.has(c);
}
bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string lowered(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// Turns an early look at an unfinished head into a refusal where it can no longer become valid, so
// that a client that speaks something else is not kept until the deadline.
bool hopeless(std::string_view bytes, Refusal *refusal) {
    constexpr size_t none = std::string_view::npos;
    bool bad = !bytes.empty() && !is_token(bytes.front());
    bad = bad || bytes.find('\0') != none;
    for (size_t at = bytes.find('\n'); at != none && !bad; at = bytes.find('\n', at + 1))
        bad = at == 0 || bytes[at - 1] != '\r';
    for (size_t at = bytes.find('\r'); at != none && !bad; at = bytes.find('\r', at + 1))
        bad = at + 1 < bytes.size() && bytes[at + 1] != '\n';
    if (bad) *refusal = kMalformedRequest;
    return bad;
}

bool good_path(std::string_view path) {
    if (path.empty() || path.front() != '/') return false;
    if (!std::all_of(path.begin(), path.end(), [](char c) { return kPathBytes.has(c); }))
        return false;
    for (size_t at = 0; at < path.size();) {
        size_t slash = std::min(path.find('/', at + 1), path.size());
        std::string_view segment = path.substr(at + 1, slash - at - 1);
        bool last = slash == path.size();
        if (segment == "." || segment == ".." || (segment.empty() && !last)) return false;
        at = slash;
    }
    return true;
}

bool good_query(std::string_view query) {
    for (size_t at = 0; at < query.size(); ++at) {
        char c = query[at];
        if (c == '%') {
            if (at + 2 >= query.size() || !is_hex(query[at + 1]) || !is_hex(query[at + 2]))
                return false;
            if (query[at + 1] == '0' && query[at + 2] == '0')
                return false;  // no text of the database holds a NUL
            at += 2;
        } else if (c <= ' ' || c == '#' || c == '"' || c == '<' || c == '>' || c == '\\' ||
                   c == 0x7f) {
            return false;
        }
    }
    return true;
}

bool good_host(std::string_view value, std::string *host) {
    std::string_view name = value;
    std::string_view port;
    if (!value.empty() && value.front() == '[') {
        size_t end = value.find(']');
        if (end == std::string_view::npos || end < 3) return false;
        name = value.substr(0, end + 1);
        for (char c : name.substr(1, end - 1)) {
            if (!is_hex(c) && c != ':' && c != '.') return false;
        }
        if (end + 1 < value.size()) {
            if (value[end + 1] != ':') return false;
            port = value.substr(end + 2);
            if (port.empty()) return false;
        }
    } else {
        size_t colon = value.find(':');
        if (colon != std::string_view::npos) {
            name = value.substr(0, colon);
            port = value.substr(colon + 1);
            if (port.empty()) return false;
        }
        if (name.empty() || name.size() > 253) return false;
        for (char c : name) {
            if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '.' && c != '_') return false;
        }
    }
    if (port.size() > 5 || !std::all_of(port.begin(), port.end(), is_digit)) return false;
    *host = lowered(name);
    return true;
}

bool request_line(std::string_view line, const HeadLimits &limits, Head *head, Refusal *refusal) {
    if (line.size() > limits.line_bytes) {
        *refusal = kTargetTooLong;
        return false;
    }
    size_t first = line.find(' ');
    size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == 0 || first == last) {
        *refusal = kMalformedRequest;
        return false;
    }
    std::string_view method = line.substr(0, first);
    std::string_view target = line.substr(first + 1, last - first - 1);
    std::string_view version = line.substr(last + 1);
    if (!std::all_of(method.begin(), method.end(), is_token) || target.empty() ||
        target.find(' ') != std::string_view::npos || version.size() != 8 ||
        version.substr(0, 5) != "HTTP/" || !is_digit(version[5]) || version[6] != '.' ||
        !is_digit(version[7])) {
        *refusal = kMalformedRequest;
        return false;
    }
    if (version != "HTTP/1.1") {
        *refusal = kVersion;
        return false;
    }
    static constexpr std::array<std::string_view, 7> known = {"GET",   "HEAD",   "POST",   "PUT",
                                                              "PATCH", "DELETE", "OPTIONS"};
    if (std::find(known.begin(), known.end(), method) == known.end()) {
        *refusal = method == "TRACE" || method == "CONNECT" ? kMethodNotAllowed : kMethodUnknown;
        return false;
    }
    size_t mark = target.find('?');
    std::string_view path = target.substr(0, mark);
    std::string_view query =
        mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
    if (path.size() > limits.path_bytes || query.size() > limits.query_bytes) {
        *refusal = kTargetTooLong;
        return false;
    }
    if (!good_path(path) || !good_query(query)) {
        *refusal = kMalformedTarget;
        return false;
    }
    head->method = method;
    head->path = path;
    head->query = query;
    return true;
}

bool field_line(std::string_view line, Head *head, Refusal *refusal) {
    *refusal = kMalformedRequest;
    size_t colon = line.find(':');
    // A line that begins with a blank would continue the one before; a blank before the colon is
    // read differently by different parsers. Both fail the token test.
    if (colon == std::string_view::npos || colon == 0) return false;
    std::string_view name = line.substr(0, colon);
    if (!std::all_of(name.begin(), name.end(), is_token)) return false;
    std::string_view value = trimmed(line.substr(colon + 1));
    for (char c : value) {
        if (c != '\t' && (c < ' ' || c > '~')) return false;
    }
    head->fields.emplace_back(lowered(name), std::string(value));
    return true;
}

bool has_list_item(std::string_view list, std::string_view item) {
    for (size_t at = 0; at <= list.size();) {
        size_t comma = std::min(list.find(',', at), list.size());
        if (lowered(trimmed(list.substr(at, comma - at))) == item) return true;
        at = comma + 1;
    }
    return false;
}

// What the fields mean together.
bool framing(Head *head, Refusal *refusal) {
    const std::string *length = nullptr;
    bool transfer_coding = false;
    size_t hosts = 0;
    size_t types = 0;
    size_t proofs = 0;
    for (const auto &[field, value] : head->fields) {
        const std::string_view name = field;  // compared by its length first
        if (name == "host") {
            ++hosts;
            if (!good_host(value, &head->host)) {
                *refusal = kMalformedHost;
                return false;
            }
        } else if (name == "content-length") {
            if (length != nullptr) {
                *refusal = kAmbiguousLength;
                return false;
            }
            length = &value;
        } else if (name == "transfer-encoding") {
            transfer_coding = true;
        } else if (name == "content-encoding" && lowered(value) != "identity") {
            *refusal = kContentCoding;
            return false;
        } else if (name == "expect") {
            *refusal = kExpectation;
            return false;
        } else if (name == "content-type") {
            ++types;
        } else if (name == "authorization") {
            ++proofs;
        } else if (name == "connection" && has_list_item(value, "close")) {
            head->close = true;
        }
    }
    if (hosts != 1) {
        *refusal = kMalformedHost;
        return false;
    }
    if (types > 1 || proofs > 1) {
        *refusal = kMalformedRequest;
        return false;
    }
    if (transfer_coding) {
        *refusal = length != nullptr ? kAmbiguousLength : kLengthRequired;
        return false;
    }
    if (length != nullptr) {
        if (length->empty() || !std::all_of(length->begin(), length->end(), is_digit)) {
            *refusal = kAmbiguousLength;
            return false;
        }
        if (length->size() > 10) {
            *refusal = kBodyTooLarge;
            return false;
        }
        head->content_length = std::stoull(*length);
    }
    bool takes_body = head->method == "POST" || head->method == "PUT" || head->method == "PATCH" ||
                      head->method == "DELETE";
    if (!takes_body && head->content_length > 0) {
        *refusal = kUnexpectedBody;
        return false;
    }
    if (takes_body && length == nullptr && head->method != "DELETE") {
        *refusal = kLengthRequired;
        return false;
    }
    return true;
}

}  // namespace

const std::string *Head::find(std::string_view name) const {
    for (const auto &field : fields) {
        if (field.first == name) return &field.second;
    }
    return nullptr;
}

HeadState parse_head(std::string_view bytes, const HeadLimits &limits, Head *head, size_t *consumed,
                     Refusal *refusal) {
    size_t end = bytes.find("\r\n\r\n");
    std::string_view seen = bytes.substr(0, end == std::string_view::npos ? end : end + 4);
    if (hopeless(seen, refusal)) return HeadState::refused;
    if (end == std::string_view::npos) {
        size_t line = std::min(bytes.find("\r\n"), bytes.size());
        if (line > limits.line_bytes) {
            *refusal = kTargetTooLong;
            return HeadState::refused;
        }
        if (bytes.size() > limits.bytes) {
            *refusal = kHeadTooLarge;
            return HeadState::refused;
        }
        return HeadState::incomplete;
    }
    if (end + 4 > limits.bytes) {
        *refusal = bytes.find("\r\n") > limits.line_bytes ? kTargetTooLong : kHeadTooLarge;
        return HeadState::refused;
    }
    *head = Head();
    head->fields.reserve(8);
    size_t at = bytes.find("\r\n");
    if (!request_line(bytes.substr(0, at), limits, head, refusal)) return HeadState::refused;
    while (at < end) {
        at += 2;
        size_t next = bytes.find("\r\n", at);
        if (head->fields.size() == limits.fields) {
            *refusal = kHeadTooLarge;
            return HeadState::refused;
        }
        if (!field_line(bytes.substr(at, next - at), head, refusal)) return HeadState::refused;
        at = next;
    }
    if (!framing(head, refusal)) return HeadState::refused;
    *consumed = end + 4;
    return HeadState::complete;
}

}  // namespace aegis::server
