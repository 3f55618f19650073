// SPDX-License-Identifier: Apache-2.0
// Card numbers here are those that networks publish for tests.
#include "core/scrub.hpp"

#include <gtest/gtest.h>

#include "core/scrub_iin.hpp"
#include "core/scrub_key.hpp"
#include "core/scrub_luhn.hpp"
#include "core/scrub_tlv.hpp"

using namespace aegis::core;

namespace {

std::string made(std::string_view text, ScrubProfile profile = ScrubProfile::payload) {
    const Scrubbed result = scrub(text, profile);
    return result.changed ? result.text : std::string(text);
}

std::string findings(std::string_view text) {
    std::string all;
    for (const CardFinding &finding : scrub(text).findings)
        all += std::string(card_data_word(finding.kind)) + finding.pointer + " ";
    return all;
}

}  // namespace

TEST(Scrub, CheckDigit) {
    const uint8_t good[] = {7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 3};
    const uint8_t wrong[] = {7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 4};
    EXPECT_TRUE(passes_luhn(good, sizeof good));
    EXPECT_FALSE(passes_luhn(wrong, sizeof wrong));
}

TEST(Scrub, IssuedPrefixesAndLengths) {
    const uint8_t visa[] = {4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    EXPECT_TRUE(is_pan(visa, 16, false));
    EXPECT_FALSE(pan_rule(visa, 15).issued);
    const uint8_t unionpay[] = {6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};  // no check digit
    EXPECT_FALSE(is_pan(unionpay, 16, false));
    EXPECT_TRUE(is_pan(unionpay, 16, true));
    EXPECT_FALSE(pan_rule(visa, 11).issued);
    EXPECT_FALSE(pan_rule(visa, 20).issued);
}

TEST(Scrub, TextKeepsEverythingElse) {
    EXPECT_EQ(made("card 4111 1111 1111 1111 exp 12/29 cvv 123 thanks"),
              "card [scrubbed:pan] exp [scrubbed:expiry] cvv [scrubbed:key] thanks");
    EXPECT_EQ(made("order 4111111111111112 of 2026-11-28"), "order 4111111111111112 of 2026-11-28");
    EXPECT_EQ(made("%B4111111111111111^DOE/JOHN^29122010000000000000?"), "[scrubbed:track]");
    EXPECT_EQ(made(";4111111111111111=29122010000012300000?"), "[scrubbed:track]");
    EXPECT_EQ(made("FFFF9876543210E00001"), "[scrubbed:ksn]");
    EXPECT_EQ(made("GB82 WEST 1234 5698 7654 32"), "GB82 WEST 1234 5698 7654 32");
    EXPECT_EQ(made("a=1&card%5Bcvc%5D=123&b=2"), "a=1&card%5Bcvc%5D=[scrubbed:key]&b=2");
}

TEST(Scrub, PointersOfLongNamesAreCut) {
    std::string name, text = "{\"";
    for (int i = 0; i < 2000; ++i) name += "\xC3\xA9";
    text += name + "\": [";
    for (int i = 0; i < 100; ++i) text += "\"4111111111111111\", ";
    const Scrubbed result = scrub(text + "0]}");
    ASSERT_EQ(result.findings.size(), 100u);
    for (const CardFinding &finding : result.findings)
        EXPECT_EQ(finding.pointer, "/" + name.substr(0, kLongestPointer - 2));
}

TEST(Scrub, JsonKeepsEveryByteThatItLeaves) {
    const char *untouched =
        "{\"n\": 9223372036854775807,\t\"f\":0.10, \"e\":1e2 ,\"s\":\"\\u00e9\\/\"}";
    EXPECT_EQ(made(untouched), untouched);
    EXPECT_EQ(made("{\"a\": 4111111111111111, \"big\":9223372036854775807}"),
              "{\"a\": \"[scrubbed:pan]\", \"big\":9223372036854775807}");
    EXPECT_EQ(made("[4.111111111111111e15,4111111111111111.00,\"4111\\u00a01111 1111 1111\"]"),
              "[\"[scrubbed:pan]\",\"[scrubbed:pan]\",\"[scrubbed:pan]\"]");
    // A number that is the hexadecimal of a card's; one that is as long and is none.
    EXPECT_EQ(made("[34313131313131313131313131313131,34313131313131313131313131313132]"),
              "[\"[scrubbed:pan]\",34313131313131313131313131313132]");
    EXPECT_EQ(made("{\"body\":\"{\\\"pay\\\":\\\"4111111111111111\\\"}\"}"),
              "{\"body\":\"{\\\"pay\\\":\\\"[scrubbed:pan]\\\"}\"}");
}

TEST(Scrub, NamesOfFields) {
    EXPECT_EQ(
        made(
            "{\"cvv\":\"123\",\"cardCode\":9,\"exp_month\":4,\"cvvResultCode\":\"P\",\"panel\":1}"),
        "{\"cvv\":\"[scrubbed:key]\",\"cardCode\":\"[scrubbed:key]\",\"exp_month\":"
        "\"[scrubbed:key]\",\"cvvResultCode\":\"P\",\"panel\":1}");
    // Names that mean it only about a card, and what stands for nothing.
    EXPECT_EQ(made("{\"brand\":\"Nike\",\"number\":\"12\",\"name\":\"Shoe\",\"cvc\":null}"),
              "{\"brand\":\"Nike\",\"number\":\"[scrubbed:key]\",\"name\":\"[scrubbed:key]\","
              "\"cvc\":null}");
    EXPECT_EQ(made("{\"brand\":\"Nike\",\"number\":\"12\",\"name\":\"Shoe\"}"),
              "{\"brand\":\"Nike\",\"number\":\"12\",\"name\":\"Shoe\"}");
    EXPECT_EQ(made("{\"card\":{\"number\":\"tok_77\",\"last4\":\"1111\"}}"),
              "{\"card\":{\"number\":\"[scrubbed:key]\",\"last4\":\"1111\"}}");
    EXPECT_EQ(made("{\"cardNumber\":\"XXXX1111\"}"), "{\"cardNumber\":\"XXXX1111\"}");
    EXPECT_EQ(key_rule("x-card-number").kind, KeyClass::number);
    EXPECT_EQ(key_rule("company").kind, KeyClass::none);
    EXPECT_EQ(key_rule("cvc_check").kind, KeyClass::none);
}

TEST(Scrub, ReferencesOfTheirOwnFormStay) {
    EXPECT_EQ(made("{\"pspReference\":\"8155000000000008\"}"),
              "{\"pspReference\":\"8155000000000008\"}");
    EXPECT_EQ(made("{\"pspReference\":\"4111111111111111\"}"),
              "{\"pspReference\":\"[scrubbed:pan]\"}");
}

TEST(Scrub, ChipData) {
    const uint8_t with_number[] = {0x5A, 0x08, 0x41, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11};
    EXPECT_TRUE(is_emv(with_number));
    const uint8_t amount[] = {0x9F, 0x02, 0x06, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00};
    EXPECT_FALSE(is_emv(amount));
    EXPECT_FALSE(is_emv({with_number, sizeof with_number - 1}));
}

TEST(Scrub, FindingsSayWhereAndNeverWhat) {
    EXPECT_EQ(findings("{\"a~b/c\":[0,\"4111111111111111\"],\"cvv\":\"123\"}"),
              "pan/a~0b~1c/1 key/cvv ");
    EXPECT_EQ(findings("{\"4111111111111111\":{\"cvc\":1}}"), "pan key/[scrubbed:pan]/cvc ");
    EXPECT_EQ(findings("4111111111111111"), "pan ");
}

TEST(Scrub, ProfilesDiffer) {
    EXPECT_TRUE(has_card_data("memo 4111-1111-1111-1111", ScrubProfile::user_field));
    EXPECT_FALSE(has_card_data("pin: 4421", ScrubProfile::user_field));
    EXPECT_TRUE(has_card_data("pin: 4421", ScrubProfile::payload));
}

TEST(Scrub, MuchWorkIsRefusedNotDone) {
    std::string nested = "4";
    for (int i = 0; i < 3; ++i) nested += nested + "&#52;";
    std::string many;
    for (int i = 0; i < 20000; ++i) many += "%2525" + nested;
    EXPECT_LT(made(many).size(), many.size() + 100);
    const std::string deep(100000, '[');
    EXPECT_EQ(made(deep), deep);
}
