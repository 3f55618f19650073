// SPDX-License-Identifier: Apache-2.0
// Settings: what is not understood is refused with its place, and variables win over the file.
#include "config.hpp"

#include <cstdio>
#include <fstream>

#include <unistd.h>

#include <gtest/gtest.h>

namespace {

using aegis::server::Config;
using aegis::server::ConfigError;
using aegis::server::load_config;
using aegis::server::Variables;

class ServerConfig : public testing::Test {
 protected:
    void SetUp() override {
        char name[] = "/tmp/aegis-config-XXXXXX";
        int fd = mkstemp(name);
        ASSERT_GE(fd, 0);
        close(fd);
        path_ = name;
    }
    void TearDown() override { std::remove(path_.c_str()); }

    Config load(const std::string &text, const Variables &variables = {}) {
        std::ofstream(path_) << text;
        return load_config(path_, variables);
    }
    // The message without the file's name.
    std::string refusal(const std::string &text, const Variables &variables = {}) {
        try {
            load(text, variables);
        } catch (const ConfigError &error) {
            EXPECT_FALSE(error.hint().empty());
            std::string message = error.what();
            return message.compare(0, path_.size(), path_) == 0 ? message.substr(path_.size())
                                                                : message;
        }
        return "accepted";
    }

    std::string path_;
};

const std::string kGood = "[tls]\ncertificate = \"c\"\nkey = \"k\"\n[database]\nsocket = \"/s\"\n";

TEST_F(ServerConfig, HasDefaults) {
    Config config = load(kGood);
    EXPECT_EQ(config.environment, "production");
    EXPECT_EQ(config.listener.address, "127.0.0.1");
    EXPECT_EQ(config.listener.port, 8443);
    EXPECT_FALSE(config.admin.on());
    EXPECT_FALSE(config.redirect.on());
    EXPECT_GE(config.workers, 4);
    EXPECT_FALSE(config.demo);
}

TEST_F(ServerConfig, VariablesWin) {
    Config config = load(kGood + "[server]\nlisten = \"127.0.0.1:1\"\n",
                         {{"AEGIS_SERVER_LISTEN", "[::1]:2"},
                          {"AEGIS_SERVER_HOSTS", "A.example,b.example"},
                          {"AEGIS_HOME", "/of/another/program"}});
    EXPECT_EQ(config.listener.address, "::1");
    EXPECT_EQ(config.listener.port, 2);
    EXPECT_EQ(config.hosts, (std::vector<std::string>{"a.example", "b.example"}));
}

TEST_F(ServerConfig, NamesThePlace) {
    EXPECT_EQ(refusal(kGood + "sock = 1\n"), ":6: unknown setting \"database.sock\"");
    EXPECT_EQ(refusal(kGood + "port = \"1\"\n"), ":6: \"database.port\" has the wrong type");
    EXPECT_EQ(refusal(kGood + "port = 0\n"), ":6: \"database.port\" is out of range");
    EXPECT_EQ(refusal("lisen = 1\n" + kGood), ":1: unknown section or setting \"lisen\"");
    EXPECT_EQ(refusal(kGood, {{"AEGIS_TLS_CERT", "c"}}),
              "variable AEGIS_TLS_CERT: unknown setting");
    EXPECT_EQ(refusal(kGood, {{"AEGIS_DEMO", "yes"}}),
              "variable AEGIS_DEMO: AEGIS_DEMO has an unknown value");
}

TEST_F(ServerConfig, RefusesContradictions) {
    EXPECT_EQ(refusal(kGood + "host = \"h\"\n"),
              ":5: \"database.socket\" and \"database.host\" are both set");
    EXPECT_EQ(refusal(kGood, {{"AEGIS_DEMO", "1"}}),
              "variable AEGIS_DEMO: demo mode is refused in production");
    EXPECT_EQ(refusal(kGood, {{"AEGIS_TLS_DEVELOPMENT", "true"}}),
              "variable AEGIS_TLS_DEVELOPMENT: a development certificate is refused in production");
    EXPECT_EQ(refusal(kGood + "[admin]\nlisten = \"0.0.0.0:1\"\n"),
              ":7: \"admin.listen\" is not a loopback address");
    EXPECT_TRUE(load(kGood, {{"AEGIS_DEMO", "1"}, {"AEGIS_ENV", "development"}}).demo);
}

}  // namespace
