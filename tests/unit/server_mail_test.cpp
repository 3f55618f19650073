// SPDX-License-Identifier: Apache-2.0
#include "mail_message.hpp"

#include <gtest/gtest.h>

namespace {

using namespace aegis::server;

TEST(Mail, AddressesThatEndAHeaderAreNone) {
    for (const char *good : {"a@b", "olga.o'neil+x@example.com", "\xc3\xb6@example.com"})
        EXPECT_TRUE(is_mail_address(good)) << good;
    for (const char *bad :
         {"", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\r\nBcc: c@d", "a@b>", "<a@b", "a,b@c",
          "a;b@c", "\"a\"@b", "a@b\x7f", "a@[1.2.3.4]", "-oQ/tmp@b", "a\xff@b"})
        EXPECT_FALSE(is_mail_address(bad)) << bad;
    EXPECT_FALSE(is_mail_address(std::string(260, 'a') + "@b"));
    EXPECT_FALSE(is_mail_address(std::string("a@b\0c", 5)));
}

TEST(Mail, LinesAndBodies) {
    EXPECT_TRUE(
        is_mail_line("Gr\xc3\xbc\xc3\x9f"
                     "e"));
    for (const char *bad : {"a\nb", "a\rb", "a\tb", "a\x1b", "a\xff"})
        EXPECT_FALSE(is_mail_line(bad)) << bad;
    EXPECT_TRUE(is_mail_body("a\n\tb\n"));
    EXPECT_FALSE(is_mail_body("a\r\nb"));
}

TEST(Mail, HeadersAreFoldedBetweenCharacters) {
    EXPECT_EQ(encode_header("Hello"), "Hello");
    EXPECT_EQ(encode_header("=?UTF-8?B?eA==?="), "=?UTF-8?B?PT9VVEYtOD9CP2VBPT0/PQ==?=");
    // 20 times U+20AC, three bytes each: thirteen in a word.
    std::string text;
    for (int i = 0; i < 20; i++) text += "\xe2\x82\xac";
    const std::string encoded = encode_header(text);
    EXPECT_EQ(encoded.find("\r\n ="), 64u);
    EXPECT_EQ(encoded.find("\r\n ", 65), std::string::npos);
    // A two-byte character that would be cut at 39 bytes begins the next word.
    text.clear();
    for (int i = 0; i < 20; i++) text += "\xc3\xa9";
    EXPECT_EQ(encode_header(text).substr(0, 10 + 52 + 2).back(), '=');
    EXPECT_NE(encode_header(text).find("w6k=?="), std::string::npos);
}

TEST(Mail, NothingGivenAddsAHeader) {
    MailMessage message;
    message.from = "a@example.com";
    message.from_name = "A \"quoted\" <b@c>";
    message.to = "b@example.com";
    message.subject = "x";
    message.text = "Bcc: c@example.com\n\n.\n";
    message.id = "1@example.com";
    const std::string wire = render_message(message);
    EXPECT_EQ(wire.find("Bcc"), std::string::npos);
    EXPECT_EQ(wire.find("<b@c>"), std::string::npos);
    EXPECT_NE(wire.find("Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"), std::string::npos);
    EXPECT_NE(wire.find("\r\n\r\nQmNjOiBjQGV4YW1wbGUuY29tDQoNCi4NCg==\r\n"), std::string::npos);
}

TEST(Mail, WhatGoesAlongIsAPdfUnderAPlainName) {
    const std::string pdf = "%PDF-1.3\n";
    for (const char *good : {"INV-1.pdf", "a_b.c-d.pdf"})
        EXPECT_TRUE(is_mail_attachment(good, pdf)) << good;
    for (const char *bad : {"", ".pdf", "a", "a.html", "a.pdf.exe", "../a.pdf", "a b.pdf",
                            "a\"; x=\".pdf", "a\r\nBcc: b@c.pdf", "\xc3\xa4.pdf"})
        EXPECT_FALSE(is_mail_attachment(bad, pdf)) << bad;
    EXPECT_FALSE(is_mail_attachment(std::string(200, 'a') + ".pdf", pdf));
    EXPECT_FALSE(is_mail_attachment("a.pdf", "<html>"));
    EXPECT_FALSE(is_mail_attachment("a.pdf", pdf + std::string(524288, ' ')));
    EXPECT_TRUE(is_mail_attachment("a.pdf", pdf + std::string(524288 - pdf.size(), ' ')));
}

TEST(Mail, AnAttachmentIsAPartOfItsOwn) {
    MailMessage message;
    message.from = "a@example.com";
    message.to = "b@example.com";
    message.subject = "x";
    message.text = "--=_part_of_this_mail_=--\n";
    message.id = "1@example.com";
    message.attachment_name = "INV-1.pdf";
    message.attachment = "%PDF-1.3\n--=_part_of_this_mail_=--\n";
    const std::string wire = render_message(message);
    const std::string boundary = "\r\n--=_part_of_this_mail_=";
    size_t count = 0;
    for (size_t at = wire.find(boundary); at != std::string::npos; at = wire.find(boundary, at + 1))
        count++;
    EXPECT_EQ(count, 3u);
    EXPECT_EQ(wire.substr(wire.size() - 27), "--=_part_of_this_mail_=--\r\n");
    EXPECT_NE(wire.find("\r\nContent-Type: application/pdf\r\n"
                        "Content-Disposition: attachment; filename=\"INV-1.pdf\"\r\n"),
              std::string::npos);
}

}  // namespace
