// SPDX-License-Identifier: Apache-2.0
#include "core/personal.hpp"

#include <gtest/gtest.h>

using aegis::core::personal_shape;
using aegis::core::PersonalShape;

TEST(Personal, KnowsWhatPeopleWrite) {
    for (const char *text : {"ann@example.com", " ann.b+c@mail.example.org ", "x@y.io"})
        EXPECT_EQ(personal_shape(text), PersonalShape::email) << text;
    // The examples of the registry of ISO 13616.
    for (const char *text :
         {"DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "NO9386011117947"})
        EXPECT_EQ(personal_shape(text), PersonalShape::iban) << text;
    // Numbers that card schemes publish for tests.
    for (const char *text : {"4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005"})
        EXPECT_EQ(personal_shape(text), PersonalShape::card) << text;
    for (const char *text : {"+49 30 123456", "(030) 123 45 67", "030/1234567", "+4930123456"})
        EXPECT_EQ(personal_shape(text), PersonalShape::phone) << text;
}

TEST(Personal, LeavesOtherTextAlone) {
    for (const char *text :
         {"", " ", "@", "a@", "@b.de", "a@b", "a@b@c.de", "see a@b.de for more", "a@b.c1",
          "DE89370400440532013001", "4111 1111 1111 1112", "12345678", "2026-01-31", "10.0.0.1",
          "+12", "INV-2026-0001", "0", "(", "00000000-0000-4000-8000-00000000000a"})
        EXPECT_EQ(personal_shape(text), PersonalShape::none) << text;
    EXPECT_EQ(personal_shape(std::string(250, 'a') + "@example.com"), PersonalShape::none);
}
