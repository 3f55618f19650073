// SPDX-License-Identifier: Apache-2.0
// The regions that the gateway knows: [regions] of its configuration. docs/regions.md.
#pragma once

#include "database_config.hpp"

#include <deque>

namespace aegis::server {

struct RegionConfig {      // [regions.NAME]
    std::string name;      // as in aegis.region of its database; empty: the only one
    std::string database;  // folder of its socket, or its host; empty: not reached from here
    int64_t port = 5432;
    std::string url;  // where its own gateways are reached

    std::string section;  // "regions.NAME"
    std::string place;
    // Derived.
    bool has_database = false;
    DatabaseConfig reach;
    std::string host;  // of the url, without the port
};

struct RegionsConfig {  // [regions]
    std::string home;   // the region of this gateway
    std::string mode = "strict";
    std::deque<RegionConfig> all;  // never empty once it was checked

    size_t home_at = 0;
    bool proxy = false;
    bool many() const { return all.size() > 1; }
};

// Has the settings read [regions.NAME] into the list, whose elements stay where they are.
std::vector<Setting> region_settings(RegionsConfig *regions);
void add_regions(Settings *settings, RegionsConfig *regions);
// Throws ConfigError. Makes *database, which holds what all of them share, that of the home region;
// without [regions] the one region is *database.
void take_regions(RegionsConfig *regions, DatabaseConfig *database, const Settings &settings);

}  // namespace aegis::server
