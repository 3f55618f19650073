// SPDX-License-Identifier: Apache-2.0
// The gateway's copy of the routes, the credential's shape, and what answers may carry.
#include "console.hpp"
#include "credential.hpp"
#include "problem.hpp"
#include "response.hpp"
#include "routes.hpp"

#include <gtest/gtest.h>

namespace {

using namespace aegis::server;

TEST(ServerRoute, FindsTheMostSpecific) {
    RouteTable table({{"GET", "/a/{id}", false, 0},
                      {"GET", "/a/new", false, 0},
                      {"POST", "/a/{id}/send", false, 10},
                      {"GET", "/", true, 0}});
    EXPECT_EQ(table.find("GET", "/a/new").route->path, "/a/new");
    EXPECT_EQ(table.find("GET", "/a/7").route->path, "/a/{id}");
    EXPECT_EQ(table.find("HEAD", "/a/7").route->path, "/a/{id}");
    EXPECT_EQ(table.find("POST", "/a/7/send").route->body_limit, 10u);
    EXPECT_EQ(table.find("GET", "/").route->path, "/");
    for (const char *path : {"/a", "/a/", "/a/7/", "/A/7", "/a/7/send/x"})
        EXPECT_EQ(table.find("GET", path).route, nullptr) << path;
    EXPECT_EQ(table.find("PUT", "/a/7").allow, "GET, HEAD");
    EXPECT_EQ(table.find("PUT", "/b").allow, "");
}

Credential credential(std::vector<std::pair<std::string, std::string>> fields) {
    Head head;
    head.fields = std::move(fields);
    return credential_of(head);
}

TEST(ServerRoute, LooksAtTheShapeOfCredentials) {
    std::string token = "ags1_UK_" + std::string(43, 'A');
    EXPECT_EQ(credential({}), Credential::none);
    EXPECT_EQ(credential({{"cookie", "a=b; c=d"}}), Credential::none);
    EXPECT_EQ(credential({{"cookie", "a=b;__Host-aegis=" + token + " ; c"}}), Credential::session);
    EXPECT_EQ(credential({{"authorization", "bEARER " + token}}), Credential::session);
    EXPECT_EQ(credential({{"authorization", "Bearer aa.bb.cc"}}), Credential::token);
    EXPECT_EQ(credential({{"cookie", "__Host-aegis=aa.bb.cc"}}), Credential::malformed);
    EXPECT_EQ(credential({{"authorization", "Bearer aa.bb"}}), Credential::malformed);
    EXPECT_EQ(credential({{"authorization", "Bearer aa.bb." + std::string(8192, 'c')}}),
              Credential::malformed);
    EXPECT_EQ(credential({{"authorization", "Bearer"}}), Credential::malformed);
    EXPECT_EQ(credential({{"authorization", token}}), Credential::malformed);
    EXPECT_EQ(credential({{"cookie", "__Host-aegis="}}), Credential::malformed);
    EXPECT_EQ(
        credential({{"cookie", "__Host-aegis=" + token}, {"authorization", "Bearer " + token}}),
        Credential::ambiguous);
    EXPECT_EQ(
        credential({{"cookie", "__Host-aegis=" + token}, {"cookie", "__Host-aegis=" + token}}),
        Credential::ambiguous);
}

// What is inside is the database's to judge; how many there are and how long is not.
TEST(ServerRoute, BoundsSignatures) {
    const std::string longest(2048, 's'), longer(2049, 's'),
        token = "ags1_UK_" + std::string(43, 'A');
    EXPECT_EQ(credential({{"signature-input", longest}, {"signature", longest}}),
              Credential::signature);
    using Fields = std::vector<std::pair<std::string, std::string>>;
    const Fields malformed[] = {
        {{"signature-input", longer}, {"signature", "s"}},
        {{"signature-input", "s"}, {"signature", longer}},
        {{"signature-input", "s"}},
        {{"signature", "s"}},
        {{"signature-input", "s"}, {"signature", "s"}, {"signature", "s"}},
        {{"signature-input", "s"}, {"signature-input", "s"}, {"signature", "s"}},
    };
    for (const Fields &fields : malformed)
        EXPECT_EQ(credential(fields), Credential::malformed_signature);
    const Fields others[] = {{{"authorization", "Bearer " + token}},
                             {{"cookie", "__Host-aegis=" + token}},
                             {{"authorization", "Basic YTpi"}}};
    for (Fields fields : others) {
        fields.insert(fields.end(), {{"signature-input", "s"}, {"signature", "s"}});
        EXPECT_EQ(credential(fields), Credential::ambiguous);
    }
}

TEST(ServerRoute, TakesOnlyHarmlessFields) {
    Response response;
    EXPECT_TRUE(take_headers({"Set-Cookie", "a=1", "set-cookie", "b=2"}, &response));
    EXPECT_EQ(response.headers.size(), 2u);
    for (const char *name :
         {"content-length", "Transfer-Encoding", "strict-transport-security", "a b", ""})
        EXPECT_FALSE(take_headers({name, "x"}, &response)) << name;
    EXPECT_FALSE(take_headers({"x-a", "b\r\nset-cookie: c=3"}, &response));
    EXPECT_FALSE(take_headers({"x-a"}, &response));
    EXPECT_EQ(response.headers.size(), 2u);
}

TEST(ServerRoute, WritesProblems) {
    Response response = problem(kNotFound, "id-1", "42P01");
    EXPECT_EQ(response.body,
              "{\"type\":\"urn:aegis:problem:not-found\",\"title\":\"Not found\",\"status\":404,"
              "\"code\":\"42P01\",\"request_id\":\"id-1\"}");
    EXPECT_EQ(problem(kNotFound, "a\"\\\n").body,
              "{\"type\":\"urn:aegis:problem:not-found\",\"title\":\"Not found\",\"status\":404,"
              "\"request_id\":\"a\\\"\\\\\\n\"}");
}

TEST(ServerRoute, WritesAnswers) {
    Response response;
    response.status = 200;
    response.set("set-cookie", "a=1");
    response.headers.emplace_back("set-cookie", "b=2");
    response.body = "body";
    EXPECT_EQ(serialise(response, false),
              "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n"
              "content-length: 4\r\n\r\nbody");
    EXPECT_EQ(serialise(response, true, false),
              "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n"
              "content-length: 4\r\nconnection: close\r\n\r\n");
    Response empty;
    empty.status = 204;
    EXPECT_EQ(serialise(empty, false), "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(ServerRoute, AddsWhatEveryAnswerCarries) {
    Response plain;
    add_standard_headers("id-1", false, &plain);
    EXPECT_NE(plain.standard.find("\r\nx-request-id: id-1\r\n"), std::string::npos);
    EXPECT_NE(plain.standard.find("\r\ncache-control: no-store\r\n"), std::string::npos);
    EXPECT_EQ(plain.standard.find("strict-transport-security"), std::string::npos);
    EXPECT_EQ(plain.standard.substr(plain.standard.size() - 2), "\r\n");
    Response own;
    own.set("Cache-Control", "private");
    own.set("Content-Security-Policy", "default-src 'self'");
    add_standard_headers("id-2", true, &own);
    EXPECT_EQ(own.standard.find("cache-control"), std::string::npos);
    EXPECT_EQ(own.standard.find("content-security-policy"), std::string::npos);
    EXPECT_NE(own.standard.find("\r\nstrict-transport-security: max-age=63072000"),
              std::string::npos);
}

TEST(ServerRoute, KnowsThePagesOfTheConsole) {
    EXPECT_EQ(console_route("/"), "/");
    EXPECT_EQ(console_route("/customers/7"), "/customers/{id}");
    EXPECT_EQ(console_route("/invoices/new"), "/invoices/{id}");
    for (const char *path : {"", "/customers/", "/customers/7/8", "/team/7", "/assets/x", "/api"})
        EXPECT_EQ(console_route(path), "") << path;
}

}  // namespace
