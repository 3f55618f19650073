// SPDX-License-Identifier: Apache-2.0
#include "config.hpp"

#include "security_text.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <thread>

namespace aegis::server {

namespace {

// A hundred requests a second of one address, which may be an office; half of it for one person.
constexpr int64_t kAddressPerMinute = 6000;
constexpr int64_t kPrincipalPerMinute = 3000;

std::vector<Setting> settings_of(Config *config) {
    constexpr int64_t kDay = 86400;
    std::vector<Setting> all = {
        {"server", "environment", &config->environment},
        {"server", "listen", &config->listen},
        {"server", "hosts", &config->hosts},
        {"server", "console", &config->console},
        {"server", "payment_forms", &config->payment_forms},
        {"server", "workers", &config->workers, 0, 512},
        {"server", "sign_in_workers", &config->sign_in_workers, 1, 64},
        {"server", "queue", &config->queue, 1, 65536},
        {"server", "max_connections", &config->max_connections, 1, 1000000},
        {"server", "connections_per_address", &config->connections_per_address, 1, 1000000},
        {"server", "drain_seconds", &config->drain_seconds, 0, 600},
        {"tls", "certificate", &config->certificate},
        {"tls", "key", &config->key},
        {"tls", "development", &config->development},
        {"limits", "head_bytes", &config->head_bytes, 1024, 65536},
        {"limits", "head_fields", &config->head_fields, 8, 256},
        {"limits", "body_bytes", &config->body_bytes, 0, 67108864},
        {"limits", "buffered_bytes", &config->buffered_bytes, 1048576, 17179869184},
        {"limits", "handshake_seconds", &config->handshake_seconds, 1, 60},
        {"limits", "head_seconds", &config->head_seconds, 1, 60},
        {"limits", "body_seconds", &config->body_seconds, 1, 600},
        {"limits", "write_seconds", &config->write_seconds, 1, 600},
        {"limits", "idle_seconds", &config->idle_seconds, 1, kDay},
        {"limits", "requests_per_connection", &config->requests_per_connection, 1, 100000000},
        {"limits", "address_per_minute", &config->address_per_minute, -1, 10000000},
        {"limits", "principal_per_minute", &config->principal_per_minute, -1, 10000000},
        {"replica", "socket", &config->replica_socket},
        {"replica", "host", &config->replica_host},
        {"replica", "port", &config->replica_port, 1, 65535},
        {"replica", "max_lag_seconds", &config->replica_lag_seconds, 1, 3600},
        {"admin", "listen", &config->admin_listen},
        {"admin", "networks", &config->admin_networks},
        {"redirect", "listen", &config->redirect_listen},
        {"security", "contact", &config->security_contact},
        {"security", "policy", &config->security_policy},
        {"log", "level", &config->log_level},
        {"log", "file", &config->log_file},
    };
    std::vector<Setting> sentry = sentry_settings(&config->sentry);
    all.insert(all.end(), sentry.begin(), sentry.end());
    std::vector<Setting> database = database_settings(config);
    std::vector<Setting> regions = region_settings(&config->regions);
    database.insert(database.end(), regions.begin(), regions.end());
    auto admin = std::find_if(all.begin(), all.end(), [](const Setting &setting) {
        return setting.section == std::string_view("admin");
    });
    all.insert(admin, database.begin(), database.end());
    return all;
}

// What a request or a connection reads anew. Whatever sizes something, holds a connection to
// another program or opens a port is not among it.
constexpr std::string_view kLive[] = {"server.hosts",
                                      "server.console",
                                      "server.payment_forms",
                                      "server.max_connections",
                                      "server.connections_per_address",
                                      "server.drain_seconds",
                                      "tls.certificate",
                                      "tls.key",
                                      "limits.head_bytes",
                                      "limits.head_fields",
                                      "limits.body_bytes",
                                      "limits.handshake_seconds",
                                      "limits.head_seconds",
                                      "limits.body_seconds",
                                      "limits.write_seconds",
                                      "limits.idle_seconds",
                                      "limits.requests_per_connection",
                                      "limits.address_per_minute",
                                      "limits.principal_per_minute",
                                      "admin.networks",
                                      "security.contact",
                                      "security.policy",
                                      "log.level",
                                      "log.file"};

void read_environment(const Variables &variables, Config *config, Settings *settings) {
    auto environment = variables.find("AEGIS_ENV");
    if (environment != variables.end()) {
        config->environment = environment->second;
        settings->set_place("server.environment", "variable AEGIS_ENV");
    }
    auto demo = variables.find("AEGIS_DEMO");
    if (demo == variables.end()) return;
    if (demo->second != "0" && demo->second != "1")
        fail_config("variable AEGIS_DEMO", "AEGIS_DEMO has an unknown value", "Use 0 or 1.");
    config->demo = demo->second == "1";
}

// Another place for the same login, database and certificates.
void take_replica(Config *config, const Settings &settings) {
    config->has_replica = !config->replica_socket.empty() || !config->replica_host.empty();
    config->replica = *config;
    config->replica.socket = config->replica_socket;
    config->replica.host = config->replica_host;
    config->replica.port = config->replica_port;
    if (!config->has_replica) return;
    const bool one = config->replica_socket.empty() != config->replica_host.empty();
    if (!one || config->replica_host.empty() != config->host.empty())
        fail_config(
            settings.place(config->replica_host.empty() ? "replica.socket" : "replica.host"),
            "[replica] is reached in another way than [database]",
            "Set socket where [database] has one, or host where it has one.");
}

Endpoint parse_endpoint(const std::string &text, const std::string &name,
                        const std::string &place) {
    Endpoint endpoint;
    if (text.empty()) return endpoint;
    const char *hint =
        "Use ADDRESS:PORT with a numeric address, for example 0.0.0.0:8443 or "
        "[::]:8443.";
    size_t colon = text.rfind(':');
    if (colon == std::string::npos)
        fail_config(place, "\"" + name + "\" is not an address and a port", hint);
    std::string address = text.substr(0, colon);
    if (address.size() > 2 && address.front() == '[' && address.back() == ']')
        address = address.substr(1, address.size() - 2);
    unsigned char raw[sizeof(in6_addr)];
    if (inet_pton(AF_INET, address.c_str(), raw) != 1 &&
        inet_pton(AF_INET6, address.c_str(), raw) != 1)
        fail_config(place, "\"" + name + "\" has no numeric address", hint);
    std::string port = text.substr(colon + 1);
    if (port.empty() || port.size() > 5 ||
        port.find_first_not_of("0123456789") != std::string::npos || std::stoi(port) > 65535 ||
        std::stoi(port) == 0)
        fail_config(place, "\"" + name + "\" has no port between 1 and 65535", hint);
    endpoint.address = address;
    endpoint.port = static_cast<uint16_t>(std::stoi(port));
    return endpoint;
}

bool is_loopback(const std::string &address) {
    return address == "::1" || address.compare(0, 4, "127.") == 0;
}

// It becomes a part of a policy, where a blank or a semicolon begins another.
bool is_page(const std::string &address) {
    constexpr std::string_view kBegin = "https://";
    return address.compare(0, kBegin.size(), kBegin) == 0 && address.size() > kBegin.size() &&
           address.find_first_not_of(
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
               "0123456789:/._~-") == std::string::npos;
}

void derive_rates(Config *config) {
    // Who measures or tests on their own machine is one address.
    const bool limited = config->environment != "development";
    auto rate = [&](int64_t set, int64_t usual) {
        if (set >= 0) return set;
        return limited ? usual : 0;
    };
    config->address_rate = rate(config->address_per_minute, kAddressPerMinute);
    config->principal_rate = rate(config->principal_per_minute, kPrincipalPerMinute);
}

// Settings that are well-formed by themselves but not together.
void check_combinations(Config *config, const Settings &settings) {
    auto place = [&](const char *name) { return settings.place(name); };
    if (config->environment != "production" && config->environment != "staging" &&
        config->environment != "development")
        fail_config(place("server.environment"),
                    "unknown environment \"" + config->environment + "\"",
                    "Use production, staging or development.");
    if (config->demo && config->environment == "production")
        throw DemoRefused("variable AEGIS_DEMO: demo mode is refused in production",
                          "Unset AEGIS_DEMO, or set AEGIS_ENV to staging or development.");
    if (config->certificate.empty() || config->key.empty())
        fail_config(
            place(config->certificate.empty() ? "tls.key" : "tls.certificate"),
            "\"tls.certificate\" and \"tls.key\" are both needed",
            "Name two PEM files; with development = true they are made on the first start.");
    if (config->development && config->environment == "production")
        fail_config(place("tls.development"), "a development certificate is refused in production",
                    "Remove tls.development, or set environment = \"development\" in [server].");
    check_database(*config, settings);
    check_sentry(config->sentry, settings);
    config->listener = parse_endpoint(config->listen, "server.listen", place("server.listen"));
    config->admin = parse_endpoint(config->admin_listen, "admin.listen", place("admin.listen"));
    config->redirect =
        parse_endpoint(config->redirect_listen, "redirect.listen", place("redirect.listen"));
    if (!config->listener.on())
        fail_config(place("server.listen"), "\"server.listen\" is empty", "Use ADDRESS:PORT.");
    if (config->admin.on() && !is_loopback(config->admin.address))
        fail_config(place("admin.listen"), "\"admin.listen\" is not a loopback address",
                    "It answers without credentials: use 127.0.0.1 or [::1].");
    if ((config->admin.on() && config->admin.port == config->listener.port) ||
        (config->redirect.on() && config->redirect.port == config->listener.port) ||
        (config->admin.on() && config->redirect.on() &&
         config->admin.port == config->redirect.port))
        fail_config(place("server.listen"), "two listeners share a port",
                    "Give server.listen, admin.listen and redirect.listen a port each.");
    config->watchers = parse_networks(config->admin_networks, place("admin.networks"));
    for (const std::string &page : config->payment_forms)
        if (!is_page(page))
            fail_config(place("server.payment_forms"), "\"" + page + "\" is not a page",
                        "Use https://HOST[:PORT]/PATH.");
    for (const std::string &contact : config->security_contact)
        if (!is_contact(contact))
            fail_config(place("security.contact"), "\"" + contact + "\" is not a contact",
                        "Use mailto:NAME@HOST, https://… or tel:+….");
    if (!config->security_policy.empty() &&
        (!is_contact(config->security_policy) || config->security_policy.rfind("https://", 0) != 0))
        fail_config(place("security.policy"), "\"security.policy\" is not an address",
                    "Use https://….");
    if (config->log_level != "debug" && config->log_level != "info" &&
        config->log_level != "warn" && config->log_level != "error")
        fail_config(place("log.level"), "unknown level \"" + config->log_level + "\"",
                    "Use debug, info, warn or error.");
    for (std::string &name : config->hosts)
        std::transform(name.begin(), name.end(), name.begin(), ::tolower);
    derive_rates(config);
    if (config->workers == 0)
        config->workers = std::max(4u, 2 * std::thread::hardware_concurrency());
}

}  // namespace

Config load_config(const std::string &path, const Variables &variables) {
    Config config;
    Settings settings("AEGIS_", "server/aegis-server.toml.example", settings_of(&config));
    add_upstreams(&settings, &config.upstreams);
    add_regions(&settings, &config.regions);
    settings.read_file(path);
    settings.read_variables(variables, {"AEGIS_ENV", "AEGIS_DEMO"});
    read_environment(variables, &config, &settings);
    config.values = settings.values();
    check_upstreams(config.upstreams);
    take_regions(&config.regions, &config, settings);
    take_replica(&config, settings);
    check_combinations(&config, settings);
    return config;
}

bool is_live(std::string_view name) {
    return std::find(std::begin(kLive), std::end(kLive), name) != std::end(kLive);
}

Config taken_up(const Config &started, Config fresh) {
    Config next = started;
    const std::vector<Setting> to = settings_of(&next), from = settings_of(&fresh);
    for (size_t at = 0; at < to.size(); ++at) {
        if (!is_live(to[at].name())) continue;
        std::visit([&](auto *target) { *target = *std::get<decltype(target)>(from[at].target); },
                   to[at].target);
    }
    next.watchers = fresh.watchers;
    derive_rates(&next);  // by the environment that the gateway started in
    return next;
}

}  // namespace aegis::server
