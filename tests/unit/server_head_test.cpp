// SPDX-License-Identifier: Apache-2.0
// The reader of request heads: what it accepts it understands in exactly one way.
#include "head.hpp"

#include <gtest/gtest.h>

namespace {

using aegis::server::Head;
using aegis::server::HeadLimits;
using aegis::server::HeadState;
using aegis::server::Refusal;

struct Parsed {
    HeadState state;
    Head head;
    size_t consumed = 0;
    Refusal refusal;
};

Parsed parse(std::string_view bytes, const HeadLimits &limits = HeadLimits()) {
    Parsed parsed;
    parsed.state = parse_head(bytes, limits, &parsed.head, &parsed.consumed, &parsed.refusal);
    return parsed;
}

const std::string kGood =
    "POST /api/a-b/1?x=%20y HTTP/1.1\r\nHost: Example.ORG:8443\r\nX-A: \t b c \r\n"
    "Content-Length: 12\r\nConnection: keep-alive, Close\r\n\r\n";

TEST(ServerHead, ReadsWhatIsThere) {
    Parsed parsed = parse(kGood + "body");
    ASSERT_EQ(parsed.state, HeadState::complete) << parsed.refusal.title;
    EXPECT_EQ(parsed.consumed, kGood.size());
    EXPECT_EQ(parsed.head.method, "POST");
    EXPECT_EQ(parsed.head.path, "/api/a-b/1");
    EXPECT_EQ(parsed.head.query, "x=%20y");
    EXPECT_EQ(parsed.head.target(), "/api/a-b/1?x=%20y");
    EXPECT_EQ(parsed.head.host, "example.org");
    EXPECT_EQ(*parsed.head.find("x-a"), "b c");
    EXPECT_EQ(parsed.head.find("x-b"), nullptr);
    EXPECT_EQ(parsed.head.content_length, 12u);
    EXPECT_TRUE(parsed.head.close);
}

TEST(ServerHead, EveryBeginningIsIncomplete) {
    for (size_t size = 0; size < kGood.size(); ++size)
        EXPECT_EQ(parse(std::string_view(kGood).substr(0, size)).state, HeadState::incomplete)
            << size;
}

// Whatever single byte is changed: never a crash, and what is accepted holds no forbidden byte.
TEST(ServerHead, SurvivesEveryChangedByte) {
    for (size_t at = 0; at < kGood.size(); ++at) {
        for (int byte = 0; byte < 256; ++byte) {
            std::string bytes = kGood;
            bytes[at] = static_cast<char>(byte);
            Parsed parsed = parse(bytes);
            if (parsed.state != HeadState::complete) continue;
            EXPECT_LE(parsed.consumed, bytes.size());
            for (const auto &[name, value] : parsed.head.fields) {
                EXPECT_EQ(value.find_first_of(std::string("\r\n\0", 3)), std::string::npos);
                EXPECT_EQ(name.find_first_of(" \t:"), std::string::npos);
            }
            EXPECT_EQ(parsed.head.path.front(), '/');
            EXPECT_EQ(parsed.head.path.find("//"), std::string::npos);
            EXPECT_EQ(parsed.head.path.find('%'), std::string::npos);
        }
    }
}

TEST(ServerHead, GivesUpEarly) {
    EXPECT_EQ(parse("\r\n").state, HeadState::refused);
    EXPECT_EQ(parse(std::string_view("G\0", 2)).state, HeadState::refused);
    EXPECT_EQ(parse("GET / HTTP/1.1\n").state, HeadState::refused);
    EXPECT_EQ(parse("GET / HTTP/1.1\rX").state, HeadState::refused);
    EXPECT_EQ(parse("GET / HTTP/1.1\r").state, HeadState::incomplete);
}

TEST(ServerHead, KeepsItsLimits) {
    HeadLimits limits;
    limits.bytes = 200;
    limits.fields = 2;
    limits.line_bytes = 60;
    std::string host = "Host: a\r\n";
    EXPECT_EQ(parse("GET / HTTP/1.1\r\n" + host + "A: b\r\n\r\n", limits).state,
              HeadState::complete);
    EXPECT_EQ(parse("GET / HTTP/1.1\r\n" + host + "A: b\r\nC: d\r\n\r\n", limits).refusal.status,
              431);
    EXPECT_EQ(
        parse("GET / HTTP/1.1\r\n" + host + "A: " + std::string(200, 'b'), limits).refusal.status,
        431);
    EXPECT_EQ(parse("GET /" + std::string(61, 'a'), limits).refusal.status, 414);
}

struct Case {
    const char *fields;
    int status;
};

TEST(ServerHead, RefusesAmbiguousFraming) {
    const Case cases[] = {
        {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400},
        {"Content-Length: 1\r\nContent-Length: 1\r\n", 400},
        {"Content-Length: 1,1\r\n", 400},
        {"Content-Length: 1 1\r\n", 400},
        {"Content-Length: -1\r\n", 400},
        {"Content-Length: 99999999999\r\n", 413},
        {"Transfer-Encoding: chunked\r\n", 411},
        {"", 411},
        {"Content-Length: 1\r\nContent-Encoding: gzip\r\n", 415},
        {"Content-Length: 1\r\nExpect: 100-continue\r\n", 417},
        {"Content-Length: 1\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n", 400},
        {"Content-Length: 1\r\nAuthorization: a\r\nAuthorization: a\r\n", 400},
        {"Content-Length: 1\r\nHost: b\r\n", 400},
    };
    for (const Case &test : cases) {
        Parsed parsed = parse(std::string("POST / HTTP/1.1\r\nHost: a\r\n") + test.fields + "\r\n");
        EXPECT_EQ(parsed.state, HeadState::refused) << test.fields;
        EXPECT_EQ(parsed.refusal.status, test.status) << test.fields;
    }
}

TEST(ServerHead, ReadsHosts) {
    const std::pair<const char *, const char *> good[] = {{"a.example", "a.example"},
                                                          {"A:1", "a"},
                                                          {"127.0.0.1:80", "127.0.0.1"},
                                                          {"[::1]:8443", "[::1]"}};
    for (const auto &[value, host] : good) {
        Parsed parsed = parse(std::string("GET / HTTP/1.1\r\nHost: ") + value + "\r\n\r\n");
        ASSERT_EQ(parsed.state, HeadState::complete) << value;
        EXPECT_EQ(parsed.head.host, host);
    }
    for (const char *value :
         {"", ":1", "a:", "a:b", "a:123456", "[::1", "[]", "[::1]x", "a b", "a/b", "a@b", "a?b"})
        EXPECT_EQ(
            parse(std::string("GET / HTTP/1.1\r\nHost: ") + value + "\r\n\r\n").refusal.status, 400)
            << value;
}

}  // namespace
