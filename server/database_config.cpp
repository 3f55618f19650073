// SPDX-License-Identifier: Apache-2.0
#include "database_config.hpp"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace aegis::server {

std::vector<Setting> database_settings(DatabaseConfig *config) {
    return {
        {"database", "socket", &config->socket},
        {"database", "host", &config->host},
        {"database", "port", &config->port, 1, 65535},
        {"database", "name", &config->name},
        {"database", "user", &config->user},
        {"database", "root_certificate", &config->root_certificate},
        {"database", "client_certificate", &config->client_certificate},
        {"database", "client_key", &config->client_key},
        {"database", "connect_seconds", &config->connect_seconds, 1, 60},
        {"database", "statement_seconds", &config->statement_seconds, 1, 600},
    };
}

void check_database(const DatabaseConfig &config, const Settings &settings) {
    if (config.socket.empty() == config.host.empty())
        fail_config(settings.place(config.socket.empty() ? "database.host" : "database.socket"),
                    config.socket.empty()
                        ? "neither \"database.socket\" nor \"database.host\" is set"
                        : "\"database.socket\" and \"database.host\" are both set",
                    "Set socket to the server's socket folder, or host with root_certificate, "
                    "client_certificate and client_key.");
    bool certificates = !config.root_certificate.empty() && !config.client_certificate.empty() &&
                        !config.client_key.empty();
    if (!config.host.empty() && !certificates)
        fail_config(settings.place("database.host"), "\"database.host\" needs certificates",
                    "Set root_certificate, client_certificate and client_key: no database password "
                    "exists.");
    if (!config.socket.empty() && config.socket.front() != '/')
        fail_config(settings.place("database.socket"),
                    "\"database.socket\" is not an absolute path",
                    "Name the folder that holds .s.PGSQL." + std::to_string(config.port) + ".");
    if (!config.socket.empty() && !(config.root_certificate.empty() &&
                                    config.client_certificate.empty() && config.client_key.empty()))
        fail_config(settings.place("database.socket"), "certificates are set for a Unix socket",
                    "Remove them: over the socket the server asks the kernel who we are.");
}

void forget_libpq_variables() {
    std::vector<std::string> names;
    for (char **entry = environ; *entry != nullptr; ++entry) {
        const char *equals = std::strchr(*entry, '=');
        if (std::strncmp(*entry, "PG", 2) == 0 && equals != nullptr)
            names.emplace_back(*entry, static_cast<size_t>(equals - *entry));
    }
    for (const std::string &name : names) unsetenv(name.c_str());
}

}  // namespace aegis::server
