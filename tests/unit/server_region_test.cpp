// SPDX-License-Identifier: Apache-2.0
// Requests that wait for a place in their region.
#include "region_wait.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace {

using namespace aegis::server;

class Waiting : public ::testing::Test {
 protected:
    Waiting() {
        for (const char *name : {"UK", "SG"}) {
            RegionConfig &region = config_.regions.all.emplace_back();
            region.name = name;
            region.has_database = true;
        }
        regions_ = std::make_unique<Regions>(config_);
    }

    Connection *request(size_t region) {
        made_.push_back(
            std::make_unique<Connection>(made_.size(), -1, Listener::main, "192.0.2.1", nullptr));
        made_.back()->verdict.to.emplace().region = region;
        return made_.back().get();
    }

    Config config_;
    std::unique_ptr<Regions> regions_;
    std::vector<std::unique_ptr<Connection>> made_;
};

TEST_F(Waiting, LeavesRoomForOtherRegions) {
    RegionWait waiting(*regions_, false, 2);
    EXPECT_TRUE(waiting.push(request(0)));
    EXPECT_TRUE(waiting.push(request(0)));
    EXPECT_FALSE(waiting.push(request(0)));
    EXPECT_TRUE(waiting.push(request(1)));
    EXPECT_TRUE(waiting.is_waited_for(1));
    EXPECT_EQ(waiting.size(), 3u);
}

// It was called for a place that somebody else took meanwhile, as somebody else took its own here.
TEST_F(Waiting, KeepsWhoeverWaitedBefore) {
    RegionWait waiting(*regions_, false, 1);
    Connection *first = request(0), *second = request(0);
    EXPECT_TRUE(waiting.push(first));
    EXPECT_EQ(waiting.take(), first);  // the region is away, so nobody is kept
    EXPECT_TRUE(waiting.push(second));
    EXPECT_TRUE(waiting.push(first));
    EXPECT_EQ(waiting.take(), first);
    EXPECT_EQ(waiting.take(), second);
    EXPECT_EQ(waiting.take(), nullptr);
}

}  // namespace
