// SPDX-License-Identifier: Apache-2.0
// The gateway's settings: a TOML file, overridden by AEGIS_<SECTION>_<KEY> variables. A setting
// that is unknown, out of range or contradicts another one stops the start and is named with its
// place. docs/gateway.md lists every setting.
#pragma once

#include "network.hpp"
#include "region_config.hpp"
#include "sentry.hpp"
#include "upstream_config.hpp"

namespace aegis::server {

struct Endpoint {
    std::string address;  // numeric, without brackets
    uint16_t port = 0;
    bool on() const { return !address.empty(); }
};

struct Config : DatabaseConfig {
    Config() { user = "aegis_web"; }

    // [server]
    std::string environment = "production";
    std::string listen = "127.0.0.1:8443";
    std::vector<std::string> hosts;
    bool console = true;
    // Pages of payment providers to which the payer's page may post a form.
    std::vector<std::string> payment_forms = {"https://accept.authorize.net/payment/payment",
                                              "https://test.authorize.net/payment/payment"};
    int64_t workers = 0;          // 0: twice the processors
    int64_t sign_in_workers = 2;  // anonymous writes: what costs a password hash
    int64_t queue = 1024;
    int64_t max_connections = 10240;
    int64_t connections_per_address = 4096;
    int64_t drain_seconds = 10;
    // [tls]
    std::string certificate;
    std::string key;
    bool development = false;
    // [limits]
    int64_t head_bytes = 16384;
    int64_t head_fields = 64;
    int64_t body_bytes = 1048576;
    int64_t buffered_bytes = 268435456;
    int64_t handshake_seconds = 5;
    int64_t head_seconds = 5;
    int64_t body_seconds = 20;
    int64_t write_seconds = 20;
    int64_t idle_seconds = 60;
    int64_t requests_per_connection = 10000;
    // Requests of an address and of a credential; -1 by the environment.
    int64_t address_per_minute = -1;
    int64_t principal_per_minute = -1;
    RegionsConfig regions;
    // [replica]
    std::string replica_socket;
    std::string replica_host;
    int64_t replica_port = 5432;
    int64_t replica_lag_seconds = 10;
    // [admin], [redirect]
    std::string admin_listen;
    std::vector<std::string> admin_networks;
    std::string redirect_listen;
    // [security]
    std::vector<std::string> security_contact;
    std::string security_policy;
    // [log]
    std::string log_level = "info";
    std::string log_file;

    SentryConfig sentry;
    std::deque<UpstreamConfig> upstreams;

    bool demo = false;  // AEGIS_DEMO=1

    Values values;  // as they were set, before anything was derived from them

    // Derived from the texts above once they are known to be well-formed.
    bool has_replica = false;
    DatabaseConfig replica;
    Endpoint listener;
    Endpoint admin;
    std::vector<Network> watchers;
    Endpoint redirect;
    // 0: any number.
    int64_t address_rate = 0;
    int64_t principal_rate = 0;
};

// AEGIS_DEMO=1 in production: worth an event, for somebody wanted it.
class DemoRefused : public ConfigError {
 public:
    using ConfigError::ConfigError;
};

// Reads, overrides, checks. An empty path means: variables and defaults only. Throws ConfigError.
Config load_config(const std::string &path, const Variables &variables);

// Whether SIGHUP takes a setting up; any other needs a restart.
bool is_live(std::string_view name);
// What the gateway started with, and of another valid configuration what is live.
Config taken_up(const Config &started, Config fresh);

}  // namespace aegis::server
