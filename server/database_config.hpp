// SPDX-License-Identifier: Apache-2.0
// How a program reaches the database: over the Unix socket, where the kernel says who we are, or
// with certificates on both sides. There is no password.
#pragma once

#include "settings.hpp"

namespace aegis::server {

struct DatabaseConfig {  // [database]
    std::string socket;
    std::string host;
    int64_t port = 5432;
    std::string name = "aegis";
    std::string user;
    std::string root_certificate;
    std::string client_certificate;
    std::string client_key;
    int64_t connect_seconds = 3;
    int64_t statement_seconds = 10;

    // As the database has to call itself; empty: whatever it says. Set by [regions].
    std::string region;
};

std::vector<Setting> database_settings(DatabaseConfig *config);
// Throws ConfigError for what does not go together.
void check_database(const DatabaseConfig &config, const Settings &settings);

// libpq takes what is not given from PG* variables: a password, a service file, other hosts.
void forget_libpq_variables();

}  // namespace aegis::server
