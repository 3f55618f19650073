// SPDX-License-Identifier: Apache-2.0
// Examples and rules of W3C Trace Context, level 1, sections 3.2 and 4.2.
#include <gtest/gtest.h>

#include "trace.hpp"

using namespace aegis::server;

namespace {

constexpr const char *kValid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr const char *kTraceId = "4bf92f3577b34da6a3ce929d0e0e4736";

std::string trace_of(std::initializer_list<std::string> parents) {
    Head head;
    head.fields.emplace_back("host", "localhost");
    for (const std::string &parent : parents) head.fields.emplace_back("traceparent", parent);
    return std::string(trace_id_of(head));
}

}  // namespace

TEST(Trace, ReadsTheTraceOfAValidField) {
    EXPECT_EQ(trace_of({kValid}), kTraceId);
    EXPECT_EQ(trace_of({}), "");
}

TEST(Trace, ReadsVersionsToComeAsFarAsItKnowsThem) {
    const std::string later = "cc" + std::string(kValid).substr(2);
    EXPECT_EQ(trace_of({later}), kTraceId);
    EXPECT_EQ(trace_of({later + "-what-the-future-brings"}), kTraceId);
    EXPECT_EQ(trace_of({later + ".what"}), "");
}

TEST(Trace, RefusesWhatTheStandardCallsInvalid) {
    EXPECT_EQ(trace_of({kValid, kValid}), "");
    for (const char *invalid : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                                "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                                "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
                                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
                                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"})
        EXPECT_EQ(trace_of({invalid}), "") << invalid;
}
