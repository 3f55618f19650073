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

    Connection *request(size_t region, size_t bytes = 0) {
        made_.push_back(
            std::make_unique<Connection>(made_.size(), -1, Listener::main, "192.0.2.1", nullptr));
        made_.back()->verdict.to.emplace().region = region;
        if (bytes > 0) made_.back()->held = *held_.take("192.0.2.1", bytes);
        return made_.back().get();
    }

    Config config_;
    HeldBytes held_{1000000};
    std::unique_ptr<Regions> regions_;
    std::vector<std::unique_ptr<Connection>> made_;
};

TEST_F(Waiting, LeavesRoomForOtherRegions) {
    RegionWait waiting(*regions_, false, 2, 100);
    EXPECT_TRUE(waiting.push(request(0)));
    EXPECT_TRUE(waiting.push(request(0)));
    EXPECT_FALSE(waiting.push(request(0)));
    EXPECT_TRUE(waiting.push(request(1)));
    EXPECT_TRUE(waiting.is_waited_for(1));
    EXPECT_EQ(waiting.size(), 3u);
}

TEST_F(Waiting, LeavesBytesForOtherRegions) {
    RegionWait waiting(*regions_, false, 10, 100);
    Connection *first = request(0, 60), *second = request(0, 40);
    EXPECT_TRUE(waiting.push(first));
    EXPECT_TRUE(waiting.push(second));
    EXPECT_FALSE(waiting.push(request(0, 1)));
    EXPECT_TRUE(waiting.push(request(0))) << "without a body";
    EXPECT_TRUE(waiting.push(request(1, 100)));
    EXPECT_EQ(waiting.take(), first);  // the region is away, so nobody is kept
    EXPECT_FALSE(waiting.push(request(0, 61)));
    EXPECT_TRUE(waiting.push(request(0, 50)));
    EXPECT_TRUE(waiting.push(first)) << "it waited before";
    EXPECT_EQ(waiting.take(), first);
    EXPECT_EQ(waiting.take(), second);
}

TEST_F(Waiting, TakesOneBodyOfAnySize) {
    RegionWait waiting(*regions_, false, 10, 100);
    Connection *large = request(0, 500);
    EXPECT_TRUE(waiting.push(large));
    EXPECT_FALSE(waiting.push(request(0, 1)));
    EXPECT_EQ(waiting.take(), large);
    EXPECT_TRUE(waiting.push(request(0, 1)));
}

// It was called for a place that somebody else took meanwhile, as somebody else took its own here.
TEST_F(Waiting, KeepsWhoeverWaitedBefore) {
    RegionWait waiting(*regions_, false, 1, 100);
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
