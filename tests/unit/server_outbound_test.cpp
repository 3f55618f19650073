// SPDX-License-Identifier: Apache-2.0
// Jobs as a hostile or careless author would write them: what could be read in two ways does not
// leave.
#include "outbound_file.hpp"
#include "outbound_http.hpp"
#include "outbound_mail.hpp"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>

namespace {

using namespace aegis::server;

constexpr char kBody[] = "aGVsbG8=";  // "hello"

struct Folder {
    std::string path;
    Folder() {
        char name[] = "/tmp/aegis-outbound.XXXXXX";
        path = mkdtemp(name);
    }
    ~Folder() {
        for (const std::string &file : files()) unlink((path + "/" + file).c_str());
        rmdir(path.c_str());
    }
    std::set<std::string> files() const {
        std::set<std::string> found;
        DIR *folder = opendir(path.c_str());
        while (const dirent *entry = readdir(folder))
            if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2) found.insert(entry->d_name);
        closedir(folder);
        return found;
    }
    std::string read(const std::string &file) const {
        std::ifstream in(path + "/" + file);
        std::ostringstream text;
        text << in.rdbuf();
        return text.str();
    }
};

AgentConfig config_for(const Folder &folder) {
    AgentConfig config;
    AllowedDestination allowed;
    allowed.url = "https://127.0.0.1/v1";
    config.destinations.push_back(allowed);
    config.drops.push_back({"worm", folder.path, ""});
    config.mail.folder = folder.path;
    config.mail.from = "no-reply@bank.example";
    return config;
}

Task task_of(const std::string &transport, const std::string &payload) {
    Task task;
    task.kind = "call";
    task.transport = transport;
    task.url = transport == "file" ? "drop:worm" : "https://127.0.0.1/v1";
    task.key = "key-1";
    task.payload = payload;
    return task;
}

std::string call(const AgentConfig &config, const std::string &payload,
                 const std::string &url = "https://127.0.0.1/v1",
                 const std::string &key = "key-1") {
    Task task = task_of("http", payload);
    task.url = url;
    task.key = key;
    const Deadline deadline{0};
    // Whatever is let through ends at the wall of addresses: nothing is ever sent.
    const Outcome outcome = carry_http(config, task, deadline);
    return outcome.error;
}

TEST(Outbound, CallsThatCouldBeReadInTwoWays) {
    const Folder folder;
    const AgentConfig config = config_for(folder);
    for (const char *payload : {R"({"method": "DELETE"})",
                                R"({"method": "get"})",
                                R"({"method": "GET /x HTTP/1.1\r\n"})",
                                R"({"method": "GET", "path": "//evil.example"})",
                                R"({"method": "GET", "path": "/../v2"})",
                                R"({"method": "GET", "path": "/a/./b"})",
                                R"({"method": "GET", "path": "/%2e%2e/v2"})",
                                R"({"method": "GET", "path": "/a?b=c"})",
                                R"({"method": "GET", "path": "/a#b"})",
                                R"({"method": "GET", "path": "@evil.example"})",
                                R"({"method": "GET", "path": ".evil.example"})",
                                R"({"method": "GET", "path": "/a\r\nHost: evil"})",
                                R"({"method": "GET", "path": "/a\\b"})",
                                R"({"method": "GET", "path": 7})",
                                R"({"method": "GET", "body": "aGVsbG8="})",
                                R"({"method": "POST"})",
                                R"({"method": "POST", "body": "not base64"})",
                                R"({"method": "GET", "headers": {"Host": "evil.example"}})",
                                R"({"method": "GET", "headers": {"content-LENGTH": "0"}})",
                                R"({"method": "GET", "headers": {"Transfer-Encoding": "chunked"}})",
                                R"({"method": "GET", "headers": {"Idempotency-Key": "another"}})",
                                R"({"method": "GET", "headers": {"X-A": "b\r\nX-Forged: c"}})",
                                R"({"method": "GET", "headers": {"X-A": "b\nX-Forged: c"}})",
                                R"({"method": "GET", "headers": {"X-A\r\nX-Forged": "c"}})",
                                R"({"method": "GET", "headers": {"X-A: b": "c"}})",
                                R"({"method": "GET", "headers": {"": "c"}})",
                                R"({"method": "GET", "headers": {"X-A": "\u0000"}})",
                                R"({"method": "GET", "method": "GET"})",
                                R"({"method": "GET", "url": "https://evil"})",
                                R"({"method": "GET", "answer_bytes": -1})",
                                "[]",
                                "",
                                "{\"method\": \"GET\"}x"})
        EXPECT_EQ(call(config, payload), "payload_malformed") << payload;
    EXPECT_EQ(call(config, R"({"method": "GET"})"), "address_not_allowed");
    EXPECT_EQ(call(config, R"({"method": "GET", "path": "/a/b", "headers": {"X-A": "b"}})"),
              "address_not_allowed");
}

TEST(Outbound, PlacesThatOnlyLookAllowed) {
    const Folder folder;
    const AgentConfig config = config_for(folder);
    const std::string get = R"({"method": "GET"})";
    for (const char *url :
         {"https://127.0.0.1", "https://127.0.0.1/v10", "https://127.0.0.1.evil.example/v1",
          "https://evil.example/v1", "https://127.0.0.1:8443/v1", "https://127.0.0.1/V1"})
        EXPECT_EQ(call(config, get, url), "destination_not_allowed") << url;
    for (const char *url :
         {"http://api.example.com/v1", "https://127.0.0.1@evil.example/v1",
          "https://127.0.0.1/v1/../v2", "https://LOCALHOST/v1", "file:///etc/passwd",
          "https://127.0.0.1/v1\r\nHost: evil", "https://127.0.0.1/v1?x", ""})
        EXPECT_EQ(call(config, get, url), "payload_malformed") << url;
}

TEST(Outbound, KeysThatEndTheirHeader) {
    const Folder folder;
    const AgentConfig config = config_for(folder);
    for (const char *key : {"a\r\nX-Forged: 1", "a\nb", "a\"; b=\"c", "a\\", "cl\xc3\xa9"})
        EXPECT_EQ(call(config, R"({"method": "GET"})", "https://127.0.0.1/v1", key),
                  "payload_malformed")
            << key;
}

std::string drop(const AgentConfig &config, const std::string &name) {
    const Outcome outcome = carry_file(
        config, task_of("file", R"({"name": ")" + name + R"(", "body": ")" + kBody + R"("})"));
    return outcome.kind == Outcome::Kind::delivered ? "delivered" : outcome.error;
}

TEST(Outbound, FilesElsewhere) {
    const Folder folder;
    const Folder elsewhere;
    const AgentConfig config = config_for(folder);
    for (const char *name : {"../x", "a/b", "/etc/x", "..", ".", ".hidden", "", "a\\u0000b",
                             "a\\nb", "a b", "\\u202etxt"})
        EXPECT_EQ(drop(config, name), "payload_malformed") << name;
    EXPECT_EQ(drop(config, std::string(201, 'a')), "payload_malformed");
    EXPECT_EQ(drop(config, std::string(200, 'a')), "delivered");
    // What is there already is neither followed nor written over.
    ASSERT_EQ(symlink((elsewhere.path + "/taken").c_str(), (folder.path + "/link").c_str()), 0);
    EXPECT_NE(drop(config, "link"), "delivered");
    EXPECT_TRUE(elsewhere.files().empty());
    std::ofstream(folder.path + "/there") << "somebody's";
    EXPECT_EQ(drop(config, "there"), "file_exists");
    EXPECT_EQ(folder.read("there"), "somebody's");
    // The same file once more is the same delivery.
    EXPECT_EQ(drop(config, "mine"), "delivered");
    EXPECT_EQ(drop(config, "mine"), "delivered");
    EXPECT_EQ(folder.read("mine"), "hello");
    Task other = task_of("file", R"({"name": "x", "body": "aGVsbG8="})");
    for (const char *url : {"drop:elsewhere", "drop:", "worm", "drop:worm/../x"}) {
        other.url = url;
        EXPECT_STREQ(carry_file(config, other).error.c_str(), "destination_not_allowed") << url;
    }
}

TEST(Outbound, MailsWithMoreThanTheyShouldHave) {
    const Folder folder;
    const AgentConfig config = config_for(folder);
    const Deadline deadline{0};
    for (const char *payload :
         {R"({"to": "a@b.example\r\nBcc: c@d.example", "subject": "s", "text": "t"})",
          R"({"to": "a@b.example, c@d.example", "subject": "s", "text": "t"})",
          R"({"to": "a@b.example> NOTIFY=SUCCESS <c@d.example", "subject": "s", "text": "t"})",
          R"({"to": "-oQ/tmp@b.example", "subject": "s", "text": "t"})",
          R"({"to": "a@b@c.example", "subject": "s", "text": "t"})",
          R"({"to": "a@b.example", "subject": "s\r\nBcc: c@d.example", "text": "t"})",
          R"({"to": "a@b.example", "subject": "s\nX: y", "text": "t"})",
          R"({"to": "a@b.example", "subject": "", "text": "t"})",
          R"({"to": "a@b.example", "subject": "s", "text": "t\r\n.\r\nMAIL FROM"})",
          R"({"to": "a@b.example", "subject": "s", "text": "\u0000"})",
          R"({"to": "a@b.example", "subject": "s", "text": "t", "from": "ceo@bank.example"})"}) {
        const Outcome outcome = carry_mail(config, task_of("mail", payload), deadline);
        EXPECT_STREQ(outcome.error.c_str(), "payload_malformed") << payload;
    }
    EXPECT_TRUE(folder.files().empty());
}

TEST(Outbound, KindsWithTheSameKeyAreTwoMails) {
    const Folder folder;
    const AgentConfig config = config_for(folder);
    const Deadline deadline{0};
    Task task = task_of("mail", R"({"to": "a@b.example", "subject": "s", "text": "one"})");
    task.kind = "mail";
    EXPECT_TRUE(carry_mail(config, task, deadline).kind == Outcome::Kind::delivered);
    EXPECT_TRUE(carry_mail(config, task, deadline).kind == Outcome::Kind::delivered);
    EXPECT_EQ(folder.files().size(), 1u);
    task.kind = "reminder";
    EXPECT_TRUE(carry_mail(config, task, deadline).kind == Outcome::Kind::delivered);
    EXPECT_EQ(folder.files().size(), 2u);
}

}  // namespace
