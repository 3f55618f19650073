// SPDX-License-Identifier: Apache-2.0
// What is told of the gateway itself, while others ask for it as well.
#include "metrics.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace {

using namespace aegis::server;

// A lag that is off has no line; a 0 would say that all is well.
TEST(ServerMetrics, ShowsNoLagThatIsOffToManyAtOnce) {
    Config config;
    config.regions.all.emplace_back().has_database = true;
    const Regions regions(config);
    Metrics metrics;
    std::atomic<int> shown{0};
    std::vector<std::thread> scrapers;
    for (int scraper = 0; scraper < 4; ++scraper)
        scrapers.emplace_back([&] {
            for (int round = 0; round < 10000 && shown == 0; ++round)
                if (metrics.text(Load(), regions).find("aegis_ledger_lag_seconds{") !=
                    std::string::npos)
                    ++shown;
        });
    for (std::thread &scraper : scrapers) scraper.join();
    EXPECT_EQ(shown, 0);
}

}  // namespace
