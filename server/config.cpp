// SPDX-License-Identifier: Apache-2.0
#include "config.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <thread>
#include <variant>

#include <toml++/toml.h>

namespace aegis::server {

namespace {

using Member = std::variant<std::string Config::*, int64_t Config::*, bool Config::*,
                            std::vector<std::string> Config::*>;

struct Setting {
    const char *section;
    const char *key;
    Member member;
    int64_t lowest = 0;
    int64_t highest = 0;

    std::string name() const { return std::string(section) + "." + key; }
};

const std::vector<Setting> &settings() {
    constexpr int64_t kDay = 86400;
    static const std::vector<Setting> all = {
        {"server", "environment", &Config::environment},
        {"server", "listen", &Config::listen},
        {"server", "hosts", &Config::hosts},
        {"server", "console", &Config::console},
        {"server", "workers", &Config::workers, 0, 512},
        {"server", "sign_in_workers", &Config::sign_in_workers, 1, 64},
        {"server", "queue", &Config::queue, 1, 65536},
        {"server", "max_connections", &Config::max_connections, 1, 1000000},
        {"server", "connections_per_address", &Config::connections_per_address, 1, 1000000},
        {"server", "drain_seconds", &Config::drain_seconds, 0, 600},
        {"tls", "certificate", &Config::certificate},
        {"tls", "key", &Config::key},
        {"tls", "development", &Config::development},
        {"limits", "head_bytes", &Config::head_bytes, 1024, 65536},
        {"limits", "head_fields", &Config::head_fields, 8, 256},
        {"limits", "body_bytes", &Config::body_bytes, 0, 67108864},
        {"limits", "buffered_bytes", &Config::buffered_bytes, 1048576, 17179869184},
        {"limits", "handshake_seconds", &Config::handshake_seconds, 1, 60},
        {"limits", "head_seconds", &Config::head_seconds, 1, 60},
        {"limits", "body_seconds", &Config::body_seconds, 1, 600},
        {"limits", "write_seconds", &Config::write_seconds, 1, 600},
        {"limits", "idle_seconds", &Config::idle_seconds, 1, kDay},
        {"limits", "requests_per_connection", &Config::requests_per_connection, 1, 100000000},
        {"database", "socket", &Config::socket},
        {"database", "host", &Config::host},
        {"database", "port", &Config::port, 1, 65535},
        {"database", "name", &Config::name},
        {"database", "user", &Config::user},
        {"database", "root_certificate", &Config::root_certificate},
        {"database", "client_certificate", &Config::client_certificate},
        {"database", "client_key", &Config::client_key},
        {"database", "connect_seconds", &Config::connect_seconds, 1, 60},
        {"database", "statement_seconds", &Config::statement_seconds, 1, 600},
        {"admin", "listen", &Config::admin_listen},
        {"redirect", "listen", &Config::redirect_listen},
        {"log", "level", &Config::log_level},
        {"log", "file", &Config::log_file},
    };
    return all;
}

const Setting *find_setting(std::string_view section, std::string_view key) {
    for (const Setting &setting : settings()) {
        if (section == setting.section && key == setting.key) return &setting;
    }
    return nullptr;
}

std::string known_keys(std::string_view section) {
    std::string list;
    for (const Setting &setting : settings()) {
        if (section == setting.section)
            list += (list.empty() ? "" : ", ") + std::string(setting.key);
    }
    return list;
}

std::string known_sections() {
    std::string list;
    for (const Setting &setting : settings()) {
        if (list.find(setting.section) == std::string::npos)
            list += (list.empty() ? "" : ", ") + std::string(setting.section);
    }
    return list;
}

// Where each setting came from, for messages about combinations that are found later.
using Places = std::map<std::string, std::string>;

[[noreturn]] void fail(const std::string &place, const std::string &message,
                       const std::string &hint) {
    throw ConfigError(place + ": " + message, hint);
}

void check_range(const Setting &setting, int64_t value, const std::string &place) {
    if (value < setting.lowest || value > setting.highest)
        fail(place, "\"" + setting.name() + "\" is out of range",
             "Use " + std::to_string(setting.lowest) + " to " + std::to_string(setting.highest) +
                 ".");
}

[[noreturn]] void wrong_type(const Setting &setting, const std::string &place, const char *wanted) {
    fail(place, "\"" + setting.name() + "\" has the wrong type",
         std::string("It takes ") + wanted + ".");
}

void take_node(Config *config, const Setting &setting, const toml::node &node,
               const std::string &place) {
    if (auto member = std::get_if<std::string Config::*>(&setting.member)) {
        auto value = node.value_exact<std::string>();
        if (!value) wrong_type(setting, place, "a text in quotes");
        config->**member = *value;
    } else if (auto member = std::get_if<int64_t Config::*>(&setting.member)) {
        auto value = node.value_exact<int64_t>();
        if (!value) wrong_type(setting, place, "a whole number");
        check_range(setting, *value, place);
        config->**member = *value;
    } else if (auto member = std::get_if<bool Config::*>(&setting.member)) {
        auto value = node.value_exact<bool>();
        if (!value) wrong_type(setting, place, "true or false");
        config->**member = *value;
    } else if (auto member = std::get_if<std::vector<std::string> Config::*>(&setting.member)) {
        const toml::array *array = node.as_array();
        if (array == nullptr) wrong_type(setting, place, "a list of texts");
        (config->**member).clear();
        for (const toml::node &item : *array) {
            auto value = item.value_exact<std::string>();
            if (!value) wrong_type(setting, place, "a list of texts");
            (config->**member).push_back(*value);
        }
    }
}

void take_text(Config *config, const Setting &setting, const std::string &text,
               const std::string &place) {
    if (auto member = std::get_if<std::string Config::*>(&setting.member)) {
        config->**member = text;
    } else if (auto member = std::get_if<int64_t Config::*>(&setting.member)) {
        char *end = nullptr;
        errno = 0;
        long long value = std::strtoll(text.c_str(), &end, 10);
        if (text.empty() || *end != '\0' || errno != 0)
            wrong_type(setting, place, "a whole number");
        check_range(setting, value, place);
        config->**member = value;
    } else if (auto member = std::get_if<bool Config::*>(&setting.member)) {
        if (text != "true" && text != "false") wrong_type(setting, place, "true or false");
        config->**member = text == "true";
    } else if (auto member = std::get_if<std::vector<std::string> Config::*>(&setting.member)) {
        (config->**member).clear();
        for (size_t at = 0; at < text.size();) {
            size_t comma = std::min(text.find(',', at), text.size());
            (config->**member).push_back(text.substr(at, comma - at));
            at = comma + 1;
        }
    }
}

std::string place_of(const std::string &path, const toml::source_region &source) {
    return path + ":" + std::to_string(source.begin.line);
}

void read_file(const std::string &path, Config *config, Places *places) {
    if (access(path.c_str(), R_OK) != 0)
        fail(path, std::string("cannot read the configuration file: ") + std::strerror(errno),
             "Name an existing file with --config; server/aegis-server.toml.example documents it.");
    toml::table table;
    try {
        table = toml::parse_file(path);
    } catch (const toml::parse_error &error) {
        fail(place_of(path, error.source()), std::string(error.description()),
             "The file is TOML: [section], then key = value.");
    }
    for (auto &&[section, node] : table) {
        std::string section_name(section.str());
        const toml::table *entries = node.as_table();
        if (entries == nullptr || known_keys(section_name).empty())
            fail(place_of(path, node.source()),
                 "unknown section or setting \"" + section_name + "\"",
                 "Sections are: " + known_sections() + ".");
        for (auto &&[key, value] : *entries) {
            std::string place = place_of(path, value.source());
            const Setting *setting = find_setting(section_name, key.str());
            if (setting == nullptr)
                fail(place,
                     "unknown setting \"" + section_name + "." + std::string(key.str()) + "\"",
                     "Settings of [" + section_name + "] are: " + known_keys(section_name) + ".");
            take_node(config, *setting, value, place);
            (*places)[setting->name()] = place;
        }
    }
}

std::string variable_name(const Setting &setting) {
    std::string name = std::string("AEGIS_") + setting.section + "_" + setting.key;
    std::transform(name.begin(), name.end(), name.begin(), ::toupper);
    return name;
}

void read_variables(const Variables &variables, Config *config, Places *places) {
    for (const auto &[name, text] : variables) {
        std::string place = "variable " + name;
        if (name == "AEGIS_ENV") {
            config->environment = text;
            (*places)["server.environment"] = place;
            continue;
        }
        if (name == "AEGIS_DEMO") {
            if (text != "0" && text != "1")
                fail(place, "AEGIS_DEMO has an unknown value", "Use 0 or 1.");
            config->demo = text == "1";
            continue;
        }
        bool ours = false;
        for (const Setting &setting : settings()) {
            if (variable_name(setting) == name) {
                take_text(config, setting, text, place);
                (*places)[setting.name()] = place;
                ours = true;
                break;
            }
        }
        if (ours) continue;
        // Other programs of the product have AEGIS_* variables too; only ours can be misspelt.
        for (const Setting &setting : settings()) {
            std::string prefix = variable_name(setting);
            prefix.resize(prefix.size() - std::strlen(setting.key));
            if (name.compare(0, prefix.size(), prefix) == 0)
                fail(place, "unknown setting",
                     std::string("Settings of [") + setting.section +
                         "] are: " + known_keys(setting.section) + ".");
        }
    }
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
        fail(place, "\"" + name + "\" is not an address and a port", hint);
    std::string address = text.substr(0, colon);
    if (address.size() > 2 && address.front() == '[' && address.back() == ']')
        address = address.substr(1, address.size() - 2);
    unsigned char raw[sizeof(in6_addr)];
    if (inet_pton(AF_INET, address.c_str(), raw) != 1 &&
        inet_pton(AF_INET6, address.c_str(), raw) != 1)
        fail(place, "\"" + name + "\" has no numeric address", hint);
    std::string port = text.substr(colon + 1);
    if (port.empty() || port.size() > 5 ||
        port.find_first_not_of("0123456789") != std::string::npos || std::stoi(port) > 65535 ||
        std::stoi(port) == 0)
        fail(place, "\"" + name + "\" has no port between 1 and 65535", hint);
    endpoint.address = address;
    endpoint.port = static_cast<uint16_t>(std::stoi(port));
    return endpoint;
}

bool is_loopback(const std::string &address) {
    return address == "::1" || address.compare(0, 4, "127.") == 0;
}

// Settings that are well-formed by themselves but not together.
void check_combinations(Config *config, const Places &places, const std::string &path) {
    auto place = [&](const char *name) {
        auto found = places.find(name);
        return found != places.end() ? found->second : (path.empty() ? "defaults" : path);
    };
    if (config->environment != "production" && config->environment != "staging" &&
        config->environment != "development")
        fail(place("server.environment"), "unknown environment \"" + config->environment + "\"",
             "Use production, staging or development.");
    if (config->demo && config->environment == "production")
        fail("variable AEGIS_DEMO", "demo mode is refused in production",
             "Unset AEGIS_DEMO, or set AEGIS_ENV to staging or development.");
    if (config->certificate.empty() || config->key.empty())
        fail(place(config->certificate.empty() ? "tls.key" : "tls.certificate"),
             "\"tls.certificate\" and \"tls.key\" are both needed",
             "Name two PEM files; with development = true they are made on the first start.");
    if (config->development && config->environment == "production")
        fail(place("tls.development"), "a development certificate is refused in production",
             "Remove tls.development, or set environment = \"development\" in [server].");
    if (config->socket.empty() == config->host.empty())
        fail(place(config->socket.empty() ? "database.host" : "database.socket"),
             config->socket.empty() ? "neither \"database.socket\" nor \"database.host\" is set"
                                    : "\"database.socket\" and \"database.host\" are both set",
             "Set socket to the server's socket folder, or host with root_certificate, "
             "client_certificate and client_key.");
    bool certificates = !config->root_certificate.empty() && !config->client_certificate.empty() &&
                        !config->client_key.empty();
    if (!config->host.empty() && !certificates)
        fail(place("database.host"), "\"database.host\" needs certificates",
             "Set root_certificate, client_certificate and client_key: no database password "
             "exists.");
    if (!config->socket.empty() && config->socket.front() != '/')
        fail(place("database.socket"), "\"database.socket\" is not an absolute path",
             "Name the folder that holds .s.PGSQL." + std::to_string(config->port) + ".");
    if (!config->socket.empty() &&
        !(config->root_certificate.empty() && config->client_certificate.empty() &&
          config->client_key.empty()))
        fail(place("database.socket"), "certificates are set for a Unix socket",
             "Remove them: over the socket the server asks the kernel who we are.");
    config->listener = parse_endpoint(config->listen, "server.listen", place("server.listen"));
    config->admin = parse_endpoint(config->admin_listen, "admin.listen", place("admin.listen"));
    config->redirect =
        parse_endpoint(config->redirect_listen, "redirect.listen", place("redirect.listen"));
    if (!config->listener.on())
        fail(place("server.listen"), "\"server.listen\" is empty", "Use ADDRESS:PORT.");
    if (config->admin.on() && !is_loopback(config->admin.address))
        fail(place("admin.listen"), "\"admin.listen\" is not a loopback address",
             "It answers without credentials: use 127.0.0.1 or [::1].");
    if ((config->admin.on() && config->admin.port == config->listener.port) ||
        (config->redirect.on() && config->redirect.port == config->listener.port) ||
        (config->admin.on() && config->redirect.on() &&
         config->admin.port == config->redirect.port))
        fail(place("server.listen"), "two listeners share a port",
             "Give server.listen, admin.listen and redirect.listen a port each.");
    if (config->log_level != "debug" && config->log_level != "info" &&
        config->log_level != "warn" && config->log_level != "error")
        fail(place("log.level"), "unknown level \"" + config->log_level + "\"",
             "Use debug, info, warn or error.");
    for (std::string &name : config->hosts)
        std::transform(name.begin(), name.end(), name.begin(), ::tolower);
    if (config->workers == 0)
        config->workers = std::max(4u, 2 * std::thread::hardware_concurrency());
}

}  // namespace

Variables variables_of_process() {
    Variables found;
    for (char **entry = environ; *entry != nullptr; ++entry) {
        const char *equals = std::strchr(*entry, '=');
        if (std::strncmp(*entry, "AEGIS_", 6) == 0 && equals != nullptr)
            found[std::string(*entry, static_cast<size_t>(equals - *entry))] = equals + 1;
    }
    return found;
}

Config load_config(const std::string &path, const Variables &variables) {
    Config config;
    Places places;
    if (!path.empty()) read_file(path, &config, &places);
    read_variables(variables, &config, &places);
    check_combinations(&config, places, path);
    return config;
}

}  // namespace aegis::server
