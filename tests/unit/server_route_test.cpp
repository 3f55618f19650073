// SPDX-License-Identifier: Apache-2.0
// The gateway's copy of the routes, the credential's shape, and what answers may carry.
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

}  // namespace
