// SPDX-License-Identifier: Apache-2.0
// Settings: what is not understood is refused with its place, and variables win over the file.
#include "config.hpp"
#include "live.hpp"

#include <cstdio>
#include <fstream>

#include <unistd.h>

#include <gtest/gtest.h>

namespace {

using aegis::server::Config;
using aegis::server::ConfigError;
using aegis::server::Live;
using aegis::server::load_config;
using aegis::server::taken_up;
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
    EXPECT_EQ(config.payment_forms.size(), 2u);
    EXPECT_EQ(
        load(kGood + "[server]\npayment_forms = [\"https://pay.example/form\"]\n").payment_forms,
        (std::vector<std::string>{"https://pay.example/form"}));
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

const std::string kTls = "[tls]\ncertificate = \"c\"\nkey = \"k\"\n";
const std::string kTwo =
    kTls +
    "[regions]\nhome = \"UK\"\n"
    "[regions.UK]\ndatabase = \"/uk\"\nport = 5433\nurl = \"https://uk.example.com\"\n"
    "[regions.EU_WEST]\nurl = \"https://eu.example.com:8443\"\n";

TEST_F(ServerConfig, OneRegionIsTheDatabase) {
    Config config = load(kGood);
    ASSERT_EQ(config.regions.all.size(), 1u);
    EXPECT_FALSE(config.regions.many());
    EXPECT_EQ(config.regions.all[0].name, "");
    EXPECT_EQ(config.regions.all[0].reach.socket, "/s");
    config = load(kTls + "[regions]\nhome = \"UK\"\n[regions.UK]\ndatabase = \"/uk\"\n");
    EXPECT_FALSE(config.regions.many());
    EXPECT_EQ(config.socket, "/uk");
}

TEST_F(ServerConfig, KnowsRegions) {
    Config config = load(kTwo, {{"AEGIS_DATABASE_USER", "web"}});
    ASSERT_TRUE(config.regions.many());
    EXPECT_FALSE(config.regions.proxy);
    // The file's order is not that of the sections.
    const auto &home = config.regions.all[config.regions.home_at];
    const auto &other = config.regions.all[1 - config.regions.home_at];
    EXPECT_EQ(home.name, "UK");
    EXPECT_EQ(home.host, "uk.example.com");
    EXPECT_EQ(home.reach.socket, "/uk");
    EXPECT_EQ(home.reach.port, 5433);
    EXPECT_EQ(home.reach.user, "web");
    EXPECT_EQ(config.socket, "/uk");
    EXPECT_EQ(config.port, 5433);
    EXPECT_EQ(other.name, "EU_WEST");
    EXPECT_EQ(other.host, "eu.example.com");
    EXPECT_FALSE(other.has_database);
}

TEST_F(ServerConfig, ReachesRegionsInEitherWay) {
    const std::string hosts =
        kTwo +
        "database = \"db.eu.example.com\"\n"
        "[database]\nroot_certificate = \"r\"\nclient_certificate = \"c\"\nclient_key = \"k\"\n";
    Config config = load(hosts, {{"AEGIS_REGIONS_MODE", "proxy"}});
    EXPECT_TRUE(config.regions.proxy);
    const auto &home = config.regions.all[config.regions.home_at];
    const auto &other = config.regions.all[1 - config.regions.home_at];
    EXPECT_EQ(home.reach.client_key, "");
    EXPECT_EQ(other.reach.host, "db.eu.example.com");
    EXPECT_EQ(other.reach.socket, "");
    EXPECT_EQ(other.reach.client_key, "k");
    EXPECT_EQ(load(hosts, {{"AEGIS_REGIONS_HOME", "EU_WEST"}}).host, "db.eu.example.com");
}

TEST_F(ServerConfig, TellsWhatWasChanged) {
    using Names = std::vector<std::string>;
    const auto changed = [&](const std::string &before, const std::string &after,
                             const Variables &variables = {}) {
        return aegis::server::changed_settings(load(before).values, load(after, variables).values);
    };
    EXPECT_EQ(changed(kTwo, kTwo), Names());
    EXPECT_EQ(changed(kTwo, "# a comment\n\n" + kTwo + "\n[limits]\nhead_seconds = 5\n"), Names());
    EXPECT_EQ(changed(kTwo, kTwo + "port = 5432\n"), Names());
    EXPECT_EQ(changed(kTwo, kTwo + "port = 5433\n"), Names{"regions.EU_WEST.port"});
    EXPECT_EQ(changed(kTwo, kTwo + "[regions.SG]\nurl = \"https://sg.example.com\"\n"),
              (Names{"regions.SG.database", "regions.SG.port", "regions.SG.url"}));
    EXPECT_EQ(changed(kTwo + "[regions.SG]\nurl = \"https://sg.example.com\"\n", kTwo).size(), 3u);
    // What is derived from a setting is not taken for a change of it.
    EXPECT_EQ(changed(kGood, kGood + "[server]\nworkers = 0\nhosts = []\n"), Names());
    EXPECT_EQ(changed(kGood, kGood + "[server]\nhosts = [\"a\", \"b\"]\nconsole = false\n",
                      {{"AEGIS_LOG_LEVEL", "warn"}, {"AEGIS_ENV", "staging"}}),
              (Names{"log.level", "server.console", "server.environment", "server.hosts"}));
    const std::string service = "[[upstream]]\nname = \"a\"\nurl = \"https://a.example.com\"\n";
    const std::string other = "[[upstream]]\nname = \"b\"\nurl = \"https://b.example.com\"\n";
    EXPECT_EQ(changed(kGood + service + other, kGood + service + other + "seconds = 7\n"),
              Names{"upstream[2].seconds"});
    EXPECT_EQ(changed(kGood, kGood + service).size(), 7u);
}

TEST_F(ServerConfig, RefusesRegionsThatLeadNowhere) {
    EXPECT_EQ(refusal(kGood + "[regions]\nhome = \"UK\"\n"),
              ":7: \"regions.home\" is set, and there is no region");
    EXPECT_EQ(refusal(kGood + "[regions.UK]\ndatabase = \"/uk\"\n"),
              ":5: [database] and the sections of [regions] both say where the database is");
    EXPECT_EQ(refusal(kTls + "[regions.UK]\ndatabase = \"/uk\"\n").substr(0, 40),
              ": \"regions.home\" is not set");
    EXPECT_EQ(refusal(kTls + "[regions]\nhome = \"SG\"\n[regions.UK]\ndatabase = \"/uk\"\n"),
              ":5: \"regions.home\" names no region: \"SG\"");
    EXPECT_EQ(refusal(kTwo, {{"AEGIS_REGIONS_MODE", "open"}}),
              "variable AEGIS_REGIONS_MODE: unknown mode \"open\"");
    EXPECT_EQ(refusal(kTls + "[regions.eu]\ndatabase = \"/uk\"\n"), ":4: \"eu\" is no region");
    EXPECT_EQ(refusal(kTwo + "databse = \"/eu\"\n"),
              ":12: unknown setting \"regions.EU_WEST.databse\"");
    EXPECT_EQ(refusal(kTwo + "port = 0\n"), ":12: \"regions.EU_WEST.port\" is out of range");
    EXPECT_EQ(refusal(kTwo + "database = \"db:5432\"\n"),
              ":10: \"regions.EU_WEST.database\" is no place of a database");
    EXPECT_EQ(refusal(kTwo + "database = \"db.example.com\"\n"),
              ":10: \"regions.EU_WEST.database\" is a host, which needs certificates");
    EXPECT_EQ(refusal(kTwo, {{"AEGIS_REGIONS_MODE", "proxy"}}),
              ":10: \"regions.EU_WEST.database\" is not set");
    EXPECT_EQ(refusal(kTwo, {{"AEGIS_REGIONS_HOME", "EU_WEST"}}),
              ":10: \"regions.EU_WEST.database\" is not set");
    for (const char *url : {"", "http://127.0.0.1:1", "https://sg.example.com/api", "sg"})
        EXPECT_EQ(refusal(kTwo + "[regions.SG]\nurl = \"" + url + "\"\n"),
                  ":12: \"regions.SG.url\" is no address of a gateway")
            << url;
    EXPECT_EQ(refusal(kTwo + "[regions.SG]\nurl = \"https://uk.example.com:2\"\n"),
              ":6: \"regions.UK.url\" has the host of another region");
    EXPECT_EQ(refusal(kTwo + "[replica]\nhost = \"h\"\n"),
              ":13: [replica] is reached in another way than [database]");
}

// What is live is taken from another file, what is not stays, and what is derived follows.
TEST_F(ServerConfig, TakesUpWhatIsLive) {
    const Config started = load(kGood + "[server]\nqueue = 5\nenvironment = \"staging\"\n");
    const Config fresh = load(
        "[tls]\ncertificate = \"c2\"\nkey = \"k2\"\n[database]\nsocket = \"/s2\"\n"
        "[server]\nqueue = 6\nhosts = [\"A.example\"]\nconsole = false\n"
        "environment = \"development\"\n"
        "[limits]\nprincipal_per_minute = 7\nhead_bytes = 2048\nbuffered_bytes = 1048576\n"
        "[admin]\nnetworks = [\"10.0.0.0/8\"]\n[log]\nlevel = \"debug\"\n");
    const Config next = taken_up(started, fresh);
    EXPECT_EQ(next.certificate, "c2");
    EXPECT_EQ(next.hosts, std::vector<std::string>{"a.example"});
    EXPECT_FALSE(next.console);
    EXPECT_EQ(next.head_bytes, 2048);
    EXPECT_EQ(next.watchers.size(), 1u);
    EXPECT_EQ(next.log_level, "debug");
    EXPECT_EQ(next.principal_rate, 7);
    EXPECT_EQ(next.socket, "/s");
    EXPECT_EQ(next.queue, 5);
    EXPECT_EQ(next.buffered_bytes, started.buffered_bytes);
    EXPECT_EQ(next.environment, "staging");
    EXPECT_EQ(next.address_rate, 6000);  // development has none, but it is not that yet
    EXPECT_EQ(fresh.address_rate, 0);
    EXPECT_TRUE(taken_up(next, load(kGood)).hosts.empty());
}

TEST(ServerLive, IsRefreshedOnlyWhenItChanged) {
    Config config;
    config.queue = 1;
    Live live(config);
    auto held = live.now();
    const auto first = held;
    live.refresh(&held);
    EXPECT_EQ(held, first);
    config.queue = 2;
    live.set(config);
    EXPECT_EQ(held->queue, 1);
    live.refresh(&held);
    EXPECT_EQ(held->queue, 2);
    EXPECT_EQ(first->queue, 1);
}

}  // namespace
