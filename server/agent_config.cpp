// SPDX-License-Identifier: Apache-2.0
#include "agent_config.hpp"

#include <algorithm>
#include <deque>

#include "mail_message.hpp"
#include "pattern.hpp"

namespace aegis::server {

namespace {

std::vector<Setting> settings_of(AgentConfig *config) {
    std::vector<Setting> all = {
        {"agent", "kinds", &config->kinds},
        {"agent", "workers", &config->workers, 1, 64},
        {"agent", "poll_seconds", &config->poll_seconds, 1, 3600},
        {"agent", "drain_seconds", &config->drain_seconds, 0, 600},
        {"limits", "connect_seconds", &config->connect_seconds_out, 1, 60},
        {"limits", "call_seconds", &config->call_seconds, 1, 600},
        {"limits", "answer_bytes", &config->answer_bytes, 1024, 16777216},
        {"mail", "host", &config->mail.host},
        {"mail", "port", &config->mail.port, 1, 65535},
        {"mail", "security", &config->mail.security},
        {"mail", "user", &config->mail.user},
        {"mail", "password_file", &config->mail.password_file},
        {"mail", "ca", &config->mail.ca},
        {"mail", "networks", &config->mail.network_texts},
        {"mail", "from", &config->mail.from},
        {"mail", "from_name", &config->mail.from_name},
        {"mail", "folder", &config->mail.folder},
        {"log", "level", &config->log_level},
        {"log", "file", &config->log_file},
    };
    std::vector<Setting> sentry = sentry_settings(&config->sentry);
    all.insert(all.end(), sentry.begin(), sentry.end());
    std::vector<Setting> database = database_settings(config);
    all.insert(all.end(), database.begin(), database.end());
    return all;
}

void check_destination(AllowedDestination *allowed) {
    if (!is_well_formed_url(allowed->url))
        fail_config(allowed->place, "\"destination.url\" is no address of a destination",
                    "Write https://HOST[:PORT][/PATH] in lower case, without user and query, or "
                    "http://127.0.0.1:PORT.");
    allowed->networks = parse_networks(allowed->network_texts, allowed->place);
    if (!is_in_clear(allowed->url)) return;
    // Named by its address and by nothing else: nobody has to allow it once more.
    allowed->networks = parse_networks({"127.0.0.1", "::1"}, allowed->place);
}

void check_mail(MailConfig *mail, const Settings &settings) {
    if (mail->host.empty() && mail->folder.empty()) return;
    if (!mail->host.empty() && !mail->folder.empty())
        fail_config(settings.place("mail.folder"), "\"mail.host\" and \"mail.folder\" are both set",
                    "Mail goes to a relay, or into a folder.");
    static const Pattern host("[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\\[[0-9a-f:]+\\]");
    if (!mail->host.empty() && !host.fits(mail->host))
        fail_config(settings.place("mail.host"), "\"mail.host\" is no name of a host",
                    "Write it in lower case, without the port.");
    if (mail->security != "starttls" && mail->security != "tls")
        fail_config(settings.place("mail.security"), "unknown security \"" + mail->security + "\"",
                    "Use starttls or tls: mail is never sent in clear.");
    if (!is_mail_address(mail->from))
        fail_config(settings.place("mail.from"), "\"mail.from\" is no address",
                    "Write no-reply@example.com; from_name is what people read.");
    if (!is_mail_line(mail->from_name))
        fail_config(settings.place("mail.from_name"), "\"mail.from_name\" is not one line",
                    "Remove line breaks and control characters.");
    if (mail->user.empty() != mail->password_file.empty())
        fail_config(settings.place(mail->user.empty() ? "mail.password_file" : "mail.user"),
                    "\"mail.user\" and \"mail.password_file\" go together",
                    "Set both, or neither for a relay that asks for no login.");
    if (!mail->folder.empty() && mail->folder.front() != '/')
        fail_config(settings.place("mail.folder"), "\"mail.folder\" is not an absolute path",
                    "Name a folder of the agent's own.");
    mail->networks = parse_networks(mail->network_texts, settings.place("mail.networks"));
}

void check_drop(const DropFolder &drop) {
    static const Pattern name("[a-z0-9][a-z0-9_-]{0,62}");
    if (!name.fits(drop.name))
        fail_config(drop.place, "\"drop.name\" is no name",
                    "Use letters, digits, \"_\" and \"-\"; aegis.register_destination() calls it "
                    "drop:NAME.");
    if (drop.folder.empty() || drop.folder.front() != '/')
        fail_config(drop.place, "\"drop.folder\" is not an absolute path",
                    "Name a folder that the agent may write to.");
}

void check_combinations(AgentConfig *config, const Settings &settings) {
    if (config->log_level != "debug" && config->log_level != "info" &&
        config->log_level != "warn" && config->log_level != "error")
        fail_config(settings.place("log.level"), "unknown level \"" + config->log_level + "\"",
                    "Use debug, info, warn or error.");
    if (config->connect_seconds_out > config->call_seconds)
        fail_config(settings.place("limits.connect_seconds"),
                    "\"limits.connect_seconds\" is longer than \"limits.call_seconds\"",
                    "A call includes connecting.");
    for (AllowedDestination &allowed : config->destinations) check_destination(&allowed);
    for (const DropFolder &drop : config->drops) check_drop(drop);
    check_mail(&config->mail, settings);
    check_database(*config, settings);
    check_sentry(config->sentry, settings);
}

}  // namespace

const AllowedDestination *AgentConfig::find_destination(const std::string &url) const {
    for (const AllowedDestination &allowed : destinations) {
        const std::string below = allowed.url.back() == '/' ? allowed.url : allowed.url + "/";
        if (url == allowed.url || url.compare(0, below.size(), below) == 0) return &allowed;
    }
    return nullptr;
}

const DropFolder *AgentConfig::find_drop(const std::string &name) const {
    for (const DropFolder &drop : drops)
        if (drop.name == name) return &drop;
    return nullptr;
}

std::vector<std::string> AgentConfig::transports() const {
    std::vector<std::string> all;
    if (!destinations.empty()) all.emplace_back("http");
    if (!drops.empty()) all.emplace_back("file");
    if (!mail.host.empty() || !mail.folder.empty()) all.emplace_back("mail");
    return all;
}

AgentConfig load_agent_config(const std::string &path, const Variables &variables) {
    AgentConfig config;
    // A deque keeps its elements in place: settings point into them.
    std::deque<AllowedDestination> destinations;
    std::deque<DropFolder> drops;
    Settings settings("AEGIS_AGENT_", "server/aegis-agent.toml.example", settings_of(&config));
    settings.add_list("destination", [&](const std::string &place) -> std::vector<Setting> {
        AllowedDestination &made = destinations.emplace_back();
        made.place = place;
        return {{"destination", "url", &made.url},
                {"destination", "ca", &made.ca},
                {"destination", "networks", &made.network_texts}};
    });
    settings.add_list("drop", [&](const std::string &place) -> std::vector<Setting> {
        DropFolder &made = drops.emplace_back();
        made.place = place;
        return {{"drop", "name", &made.name}, {"drop", "folder", &made.folder}};
    });
    settings.read_file(path);
    settings.read_variables(variables);
    config.destinations.assign(destinations.begin(), destinations.end());
    config.drops.assign(drops.begin(), drops.end());
    check_combinations(&config, settings);
    return config;
}

}  // namespace aegis::server
