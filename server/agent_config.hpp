// SPDX-License-Identifier: Apache-2.0
// The agent's settings: where it may go, how long it waits, who it is to the database.
// docs/agent.md lists every setting.
#pragma once

#include "database_config.hpp"
#include "network.hpp"
#include "sentry.hpp"
#include "url.hpp"

namespace aegis::server {

struct AllowedDestination {  // [[destination]]
    std::string url;         // https://HOST[:PORT][/PATH]: this, and what lies below it;
                             // or http:// and a loopback address
    std::string ca;          // PEM; empty: the system's authorities
    std::vector<std::string> network_texts;
    std::vector<Network> networks;  // allowed besides public addresses
    std::string place;
};

struct DropFolder {  // [[drop]]
    std::string name;
    std::string folder;
    std::string place;
};

struct MailConfig {    // [mail]
    std::string host;  // of the relay; empty: no relay
    int64_t port = 587;
    std::string security = "starttls";  // or tls, from the first byte
    std::string user;
    std::string password_file;
    std::string ca;
    std::vector<std::string> network_texts;
    std::vector<Network> networks;
    std::string from;
    std::string from_name;
    std::string folder;  // instead of a relay: one .eml file for each mail
};

struct AgentConfig : DatabaseConfig {
    AgentConfig() { user = "aegis_outbound"; }

    // [agent]
    std::vector<std::string> kinds;  // empty: every kind
    int64_t workers = 2;
    int64_t poll_seconds = 15;
    int64_t drain_seconds = 10;
    // [limits]
    int64_t connect_seconds_out = 5;
    int64_t call_seconds = 30;
    int64_t answer_bytes = 1048576;
    // [log]
    std::string log_level = "info";
    std::string log_file;

    SentryConfig sentry;
    MailConfig mail;
    std::vector<AllowedDestination> destinations;
    std::vector<DropFolder> drops;

    // The entry that allows an address, or nullptr.
    const AllowedDestination *find_destination(const std::string &url) const;
    const DropFolder *find_drop(const std::string &name) const;
    // What this agent can carry with its settings.
    std::vector<std::string> transports() const;
};

// Reads, overrides by AEGIS_AGENT_* variables, checks. Throws ConfigError.
AgentConfig load_agent_config(const std::string &path, const Variables &variables);

}  // namespace aegis::server
