// SPDX-License-Identifier: Apache-2.0
// Card numbers here are those that networks publish for tests.
#include "core/scrub_verify.hpp"

#include <gtest/gtest.h>

using namespace aegis::core;

namespace {

bool is_free(std::string_view text) {
    return is_free_of_card_data(as_bytes(text));
}

}  // namespace

// %B4 is no encoded character where a track begins; inside of one it is.
TEST(ScrubVerify, RefusesTracksWithTheirSentinels) {
    EXPECT_FALSE(is_free("%B4111111111111111^DOE/JOHN^29122010000000000000?"));
    EXPECT_FALSE(is_free("a %b4111111111111111^DOE/JOHN^2912201"));
    EXPECT_TRUE(is_free("%C2%B4111111111111111 %E2%80%B9411111111111111"));
}

TEST(ScrubVerify, RefusesWhatIsLeft) {
    for (const char *text :
         {"4111111111111111", "{\"a\":4111111111111111}", "a 4111 1111 1111 1111 b",
          "card4111111111111111exp", "3782-822463-10005",
          "4111\xC2\xA0"
          "1111\xC2\xA0"
          "1111\xC2\xA0"
          "1111",
          "\xEF\xBC\x94"
          "111111111111111",
          "4%31%311111111111111", "&#52;111111111111111", "\\u0034111111111111111",
          "NDExMTExMTExMTExMTExMQ==", "34313131313131313131313131313131",
          "4111111111111111=29122010000", "B4111111111111111^DOE/J^2912201", "{\"cvv\": \"123\"}",
          "x&card_code=1234&y", "6799998900000099990", "6200000000000005"})
        EXPECT_FALSE(is_free(text)) << text;
}

TEST(ScrubVerify, IsSilentAboutTheRest) {
    for (const char *text :
         {"", "4111111111111112", "[scrubbed:pan]", "{\"cvv\":\"[scrubbed:key]\"}",
          "{\"cvvResultCode\":\"P\"}", "GB82 WEST 1234 5698 7654 32", "8815658961765250",
          "1796500000123456789", "+6591234567890", "0.4111111111111111",
          "2026-11-28T12:59:07.123456Z", "41111111-1111-1111-1111-111111111111",
          "[4111,1111,1111,1111]", "a94a8fe5ccb19ba61c4c0873d391e987982fbbd34111111111111111"})
        EXPECT_TRUE(is_free(text)) << text;
}
