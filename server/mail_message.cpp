// SPDX-License-Identifier: Apache-2.0
#include "mail_message.hpp"

#include <algorithm>

#include "core/encoding.hpp"

namespace aegis::server {

namespace {

constexpr size_t kMostAddress = 254;  // RFC 5321
constexpr size_t kWordBytes = 39;     // 52 characters of base64: with "Subject: " within 78
constexpr size_t kLineBytes = 57;     // 76 characters of base64
constexpr size_t kMostName = 105;
constexpr size_t kMostAttached = 524288;  // aegis.most_attached()
// No line of base64 is one of these.
constexpr std::string_view kBoundary = "=_part_of_this_mail_=";

core::ByteView view_of(const std::string &text) {
    return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

bool is_control(unsigned char c) {
    return c < 0x20 || c == 0x7f;
}

std::string base64_of(const std::string &bytes) {
    std::string text(core::base64_size(bytes.size()), '\0');
    core::to_base64(view_of(bytes), text.data());
    return text;
}

bool is_ascii(const std::string &text) {
    return std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
}

// Whether a reader could take a part of it for an encoded word.
bool looks_encoded(const std::string &text) {
    return text.find("=?") != std::string::npos;
}

std::string encode_words(const std::string &text) {
    std::string encoded;
    for (size_t at = 0; at < text.size();) {
        size_t end = std::min(at + kWordBytes, text.size());
        // Never in the middle of a character.
        while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
        encoded += encoded.empty() ? "" : "\r\n ";
        encoded += "=?UTF-8?B?" + base64_of(text.substr(at, end - at)) + "?=";
        at = end;
    }
    return encoded;
}

// A display name: what is not plain letters would need quoting that readers disagree about.
std::string encode_name(const std::string &name) {
    const bool is_plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == ' ' || c == '-' || c == '_';
    });
    return is_plain ? "\"" + name + "\"" : encode_words(name);
}

std::string date_of(std::time_t date) {
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm parts{};
    gmtime_r(&date, &parts);
    char text[64];
    snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[parts.tm_wday],
             parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
             parts.tm_sec);
    return text;
}

std::string base64_lines(const std::string &bytes) {
    std::string lines;
    lines.reserve(bytes.size() / 3 * 4 + bytes.size() / kLineBytes * 2 + 8);
    for (size_t at = 0; at < bytes.size(); at += kLineBytes)
        lines += base64_of(bytes.substr(at, kLineBytes)) + "\r\n";
    return lines;
}

std::string text_part(const std::string &text) {
    std::string lines;
    for (char c : text) {
        if (c == '\n') lines += '\r';
        lines += c;
    }
    return base64_lines(lines);
}

}  // namespace

bool is_mail_address(const std::string &text) {
    const size_t at = text.find('@');
    return text.size() <= kMostAddress && core::is_text(view_of(text)) && at != std::string::npos &&
           at > 0 && at + 1 < text.size() && text.find('@', at + 1) == std::string::npos &&
           text.front() != '-' && std::none_of(text.begin(), text.end(), [](unsigned char c) {
               return is_control(c) ||
                      std::string_view(" <>()[]\\,;:\"").find(static_cast<char>(c)) !=
                          std::string_view::npos;
           });
}

bool is_mail_line(const std::string &text) {
    return core::is_text(view_of(text)) && std::none_of(text.begin(), text.end(), is_control);
}

bool is_mail_body(const std::string &text) {
    return core::is_text(view_of(text)) &&
           std::none_of(text.begin(), text.end(),
                        [](unsigned char c) { return is_control(c) && c != '\n' && c != '\t'; });
}

bool is_mail_attachment(const std::string &name, const std::string &bytes) {
    constexpr std::string_view kEnd = ".pdf";
    constexpr std::string_view kBegin = "%PDF-";
    return name.size() > kEnd.size() && name.size() <= kMostName && name.front() != '.' &&
           name.compare(name.size() - kEnd.size(), kEnd.size(), kEnd) == 0 &&
           std::all_of(name.begin(), name.end(),
                       [](unsigned char c) {
                           return (c < 0x80 && std::isalnum(c) != 0) || c == '.' || c == '-' ||
                                  c == '_';
                       }) &&
           bytes.size() <= kMostAttached && bytes.compare(0, kBegin.size(), kBegin) == 0;
}

std::string encode_header(const std::string &text) {
    return is_ascii(text) && !looks_encoded(text) && text.size() <= 60 ? text : encode_words(text);
}

std::string render_message(const MailMessage &message) {
    std::string wire;
    auto header = [&wire](const char *name, const std::string &value) {
        wire += name;
        wire += ": " + value + "\r\n";
    };
    header("Date", date_of(message.date));
    header("From", message.from_name.empty()
                       ? message.from
                       : encode_name(message.from_name) + " <" + message.from + ">");
    header("To", message.to);
    header("Subject", encode_header(message.subject));
    header("Message-ID", "<" + message.id + ">");
    header("MIME-Version", "1.0");
    // Nobody's absence is to be told to us (RFC 3834).
    header("Auto-Submitted", "auto-generated");
    const std::string boundary(kBoundary);
    const bool has_parts = !message.attachment_name.empty();
    if (has_parts) {
        header("Content-Type", "multipart/mixed; boundary=\"" + boundary + "\"");
        wire += "\r\n--" + boundary + "\r\n";
    }
    header("Content-Type", "text/plain; charset=utf-8");
    header("Content-Transfer-Encoding", "base64");
    wire += "\r\n" + text_part(message.text);
    if (has_parts) {
        wire += "--" + boundary + "\r\n";
        header("Content-Type", "application/pdf");
        header("Content-Disposition", "attachment; filename=\"" + message.attachment_name + "\"");
        header("Content-Transfer-Encoding", "base64");
        wire += "\r\n" + base64_lines(message.attachment) + "--" + boundary + "--\r\n";
    }
    return wire;
}

}  // namespace aegis::server
