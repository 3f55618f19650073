// SPDX-License-Identifier: Apache-2.0
#include "region_config.hpp"

#include "pattern.hpp"
#include "url.hpp"

#include <algorithm>
#include <set>

namespace aegis::server {

namespace {

// What is not the address of one machine: a user, a port, several of them.
bool is_host(const std::string &text) {
    static const Pattern host("[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?");
    return host.fits(text);
}

std::string host_of(const std::string &url) {
    const std::string authority = url.substr(url.find("://") + 3);
    if (authority.front() == '[') return authority.substr(0, authority.find(']') + 1);
    return authority.substr(0, authority.find(':'));
}

void take_reach(RegionConfig *region, const DatabaseConfig &shared) {
    const bool local = !region->database.empty() && region->database.front() == '/';
    if (!local && !is_host(region->database))
        fail_config(region->place, "\"" + region->section + ".database\" is no place of a database",
                    "Write the folder of its socket, or the name of its host; the port is a "
                    "setting of its own.");
    region->has_database = true;
    region->reach = shared;
    region->reach.port = region->port;
    region->reach.region = region->name;
    (local ? region->reach.socket : region->reach.host) = region->database;
    if (!local) {
        if (shared.root_certificate.empty() || shared.client_certificate.empty() ||
            shared.client_key.empty())
            fail_config(region->place,
                        "\"" + region->section + ".database\" is a host, which needs certificates",
                        "Set root_certificate, client_certificate and client_key in [database]: no "
                        "database password exists.");
        return;
    }
    // Over the socket the server asks the kernel who we are.
    region->reach.root_certificate.clear();
    region->reach.client_certificate.clear();
    region->reach.client_key.clear();
}

void take_url(RegionConfig *region, bool needed, std::set<std::string> *hosts) {
    const std::string &url = region->url;
    if (url.empty() && !needed) return;
    if (!is_well_formed_url(url) || is_in_clear(url) ||
        url.find('/', url.find("://") + 3) != std::string::npos)
        fail_config(region->place, "\"" + region->section + ".url\" is no address of a gateway",
                    "Write https://HOST[:PORT] in lower case: where clients reach the gateways of "
                    "that region.");
    region->host = host_of(url);
    if (!hosts->insert(region->host).second)
        fail_config(region->place, "\"" + region->section + ".url\" has the host of another region",
                    "Give each region a name of its own in DNS.");
}

}  // namespace

std::vector<Setting> region_settings(RegionsConfig *regions) {
    return {{"regions", "home", &regions->home}, {"regions", "mode", &regions->mode}};
}

void add_regions(Settings *settings, RegionsConfig *regions) {
    settings->add_named(
        "regions",
        [regions](const std::string &name, const std::string &place) -> std::vector<Setting> {
            static const Pattern code("[A-Z0-9_]{1,16}");
            if (!code.fits(name))
                fail_config(place, "\"" + name + "\" is no region",
                            "Write it as aegis.region of its database: 1 to 16 of A-Z, 0-9 and _.");
            RegionConfig &made = regions->all.emplace_back();
            made.name = name;
            made.section = "regions." + name;
            made.place = place;
            return {{made.section.c_str(), "database", &made.database},
                    {made.section.c_str(), "port", &made.port, 1, 65535},
                    {made.section.c_str(), "url", &made.url}};
        });
}

void take_regions(RegionsConfig *regions, DatabaseConfig *database, const Settings &settings) {
    const std::string home_place = settings.place("regions.home");
    if (regions->all.empty()) {
        if (!regions->home.empty())
            fail_config(home_place, "\"regions.home\" is set, and there is no region",
                        "Write a section [regions." + regions->home + "], and one for each other.");
        RegionConfig &only = regions->all.emplace_back();
        only.has_database = true;
        only.reach = *database;
        return;
    }
    if (!database->socket.empty() || !database->host.empty())
        fail_config(settings.place(database->socket.empty() ? "database.host" : "database.socket"),
                    "[database] and the sections of [regions] both say where the database is",
                    "Leave only what they share in [database]: name, user, certificates, times.");
    if (regions->mode != "strict" && regions->mode != "proxy")
        fail_config(settings.place("regions.mode"), "unknown mode \"" + regions->mode + "\"",
                    "Use strict or proxy.");
    regions->proxy = regions->mode == "proxy";
    const auto home =
        std::find_if(regions->all.begin(), regions->all.end(),
                     [&](const RegionConfig &region) { return region.name == regions->home; });
    if (home == regions->all.end())
        fail_config(home_place,
                    regions->home.empty()
                        ? "\"regions.home\" is not set"
                        : "\"regions.home\" names no region: \"" + regions->home + "\"",
                    "Name the region in which this gateway stands, and write its section.");
    regions->home_at = static_cast<size_t>(home - regions->all.begin());
    std::set<std::string> hosts;
    for (RegionConfig &region : regions->all) {
        take_url(&region, regions->many(), &hosts);
        if (!region.database.empty())
            take_reach(&region, *database);
        else if (regions->proxy || region.name == regions->home)
            fail_config(region.place, "\"" + region.section + ".database\" is not set",
                        regions->proxy ? "In proxy mode requests go on to the database of every "
                                         "region: write where it is."
                                       : "It is the region of this gateway: write where its "
                                         "database is.");
    }
    *database = home->reach;
}

}  // namespace aegis::server
