// SPDX-License-Identifier: Apache-2.0
// The gateway's settings: a TOML file, overridden by AEGIS_<SECTION>_<KEY> variables. A setting
// that is unknown, out of range or contradicts another one stops the start and is named with its
// place. docs/gateway.md lists every setting.
#pragma once

#include "database_config.hpp"

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
    // [admin], [redirect]
    std::string admin_listen;
    std::string redirect_listen;
    // [security]
    std::vector<std::string> security_contact;
    std::string security_policy;
    // [log]
    std::string log_level = "info";
    std::string log_file;

    bool demo = false;  // AEGIS_DEMO=1

    // Derived from the texts above once they are known to be well-formed.
    Endpoint listener;
    Endpoint admin;
    Endpoint redirect;
};

// Reads, overrides, checks. An empty path means: variables and defaults only. Throws ConfigError.
Config load_config(const std::string &path, const Variables &variables);

}  // namespace aegis::server
