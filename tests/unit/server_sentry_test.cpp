// SPDX-License-Identifier: Apache-2.0
// What leaves for a collector of errors: names and numbers, a burst as a few and a count.
#include "sentry.hpp"

#include <gtest/gtest.h>

namespace {

using namespace aegis::server;

TEST(ServerSentry, ReadsADsn) {
    Dsn dsn;
    ASSERT_TRUE(parse_dsn("https://abc123@o1.ingest.example.com/42", &dsn));
    EXPECT_EQ(dsn.key, "abc123");
    EXPECT_EQ(dsn.url, "https://o1.ingest.example.com/api/42/envelope/");
    ASSERT_TRUE(parse_dsn("https://k@example.com:8443/sentry/7", &dsn));
    EXPECT_EQ(dsn.url, "https://example.com:8443/sentry/api/7/envelope/");
    ASSERT_TRUE(parse_dsn("http://k@127.0.0.1:9000/1", &dsn));
    for (const char *bad :
         {"", "https://example.com/42", "https://k@example.com", "https://k@example.com/x",
          "http://k@example.com/42", "http://k@127.evil.example/42x", "ftp://k@example.com/42",
          "https://k:secret@example.com/42", "https://k@example.com/42?a=b"})
        EXPECT_FALSE(parse_dsn(bad, &dsn)) << bad;
}

TEST(ServerSentry, ReadsWhenToComeAgain) {
    int64_t seconds = 7;
    const std::string blanks(100000, ' ');
    for (const std::string &line :
         {std::string(), std::string("retry-after"), std::string("Retry-After:\r\n"),
          std::string("Retry-After: soon\r\n"), std::string("Retry-After: -1\r\n"),
          std::string("Retry-After: 1234567\r\n"), std::string("X-Retry-After: 5\r\n"),
          "Retry-After:" + blanks, "Retry-After: 5" + blanks + "x",
          "Retry-After: " + blanks + "soon"}) {
        read_retry_after(line, &seconds);
        EXPECT_EQ(seconds, 7) << line.substr(0, 40);
    }
    read_retry_after("Retry-After: 120\r\n", &seconds);
    EXPECT_EQ(seconds, 120);
    read_retry_after("RETRY-AFTER:" + blanks + "30" + blanks + "\r\n", &seconds);
    EXPECT_EQ(seconds, 30);
}

TEST(ServerSentry, TakesOnlyWhatIsListed) {
    ErrorReport report = report_of("statement_failed", {{"request_id", "r-1"},
                                                        {"sqlstate", "XX000"},
                                                        {"message", "canary-message"},
                                                        {"peer", "198.51.100.7"}});
    EXPECT_EQ(report.sqlstate, "XX000");
    SentryConfig config;
    std::string envelope = envelope_of(report, 0, config, "aegis-server", "0.1.0");
    EXPECT_NE(envelope.find("XX000"), std::string::npos);
    EXPECT_EQ(envelope.find("canary"), std::string::npos);
    EXPECT_EQ(envelope.find("198.51"), std::string::npos);
    EXPECT_EQ(envelope.find("suppressed"), std::string::npos);
    // A number that looks like a card goes, wherever it came in.
    report.request_id = "4111111111111111";
    EXPECT_EQ(envelope_of(report, 0, config, "aegis-server", "0.1.0").find("4111111111111111"),
              std::string::npos);
}

TEST(ServerSentry, FramesTheEnvelope) {
    ErrorReport report = report_of("request", {{"method", "GET"},
                                               {"route", "/api/customers/{id}"},
                                               {"status", "503"},
                                               {"problem", "unavailable"}});
    std::string envelope = envelope_of(report, 7, SentryConfig(), "aegis-server", "0.1.0");
    size_t first = envelope.find('\n'), second = envelope.find('\n', first + 1);
    std::string payload = envelope.substr(second + 1);
    ASSERT_EQ(payload.back(), '\n');
    payload.pop_back();
    EXPECT_EQ(envelope.substr(first + 1, second - first - 1),
              "{\"type\":\"event\",\"length\":" + std::to_string(payload.size()) + "}");
    EXPECT_NE(payload.find("\"transaction\":\"GET /api/customers/{id}\""), std::string::npos);
    EXPECT_NE(payload.find("\"extra\":{\"suppressed\":7}"), std::string::npos);
    EXPECT_NE(payload.find("{\"type\":\"request\",\"value\":\"unavailable\"}"), std::string::npos);
}

TEST(ServerSentry, SamplesABurst) {
    Sampler sampler;
    int passed = 0;
    int64_t suppressed = 0;
    for (int at = 0; at < 100; ++at) passed += sampler.pass("a", 600, &suppressed);
    EXPECT_EQ(passed, 5);
    EXPECT_EQ(suppressed, 0);
    EXPECT_TRUE(sampler.pass("b", 600, &suppressed));
    EXPECT_TRUE(sampler.pass("a", 660, &suppressed));
    EXPECT_EQ(suppressed, 95);
    EXPECT_TRUE(sampler.pass("a", 661, &suppressed));
    EXPECT_EQ(suppressed, 0);
}

}  // namespace
