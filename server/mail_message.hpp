// SPDX-License-Identifier: Apache-2.0
// A mail as it goes over the wire (RFC 5322): plain text in UTF-8, and a PDF that may go along,
// headers that nothing given can add to. Pure: no input or output, no clock.
#pragma once

#include <ctime>
#include <string>

namespace aegis::server {

struct MailMessage {
    std::string from;       // an address
    std::string from_name;  // empty: none
    std::string to;         // an address
    std::string subject;
    std::string text;
    std::string attachment_name;  // empty: nothing goes along
    std::string attachment;       // the bytes of a PDF
    std::string id;               // without brackets
    std::time_t date = 0;
};

// One "@" with something on both sides, and nothing that ends an address or a header.
bool is_mail_address(const std::string &text);
// UTF-8 without control characters; in a body, line feeds and tabulators are none.
bool is_mail_line(const std::string &text);
bool is_mail_body(const std::string &text);
// A name of letters, digits, dots, dashes and underscores that ends in ".pdf"; bytes that begin as
// a PDF does, at most 512 KiB.
bool is_mail_attachment(const std::string &name, const std::string &bytes);
// "=?UTF-8?B?…?=" words (RFC 2047), folded; plain ASCII stays as it is.
std::string encode_header(const std::string &text);
// Lines end with CR LF. What was given must be well formed by the functions above.
std::string render_message(const MailMessage &message);

}  // namespace aegis::server
