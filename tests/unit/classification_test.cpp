// SPDX-License-Identifier: Apache-2.0
#include "core/classification.hpp"

#include <gtest/gtest.h>

#include <string>

using namespace aegis::core;

TEST(Classification, EveryClassIsTaken) {
    for (std::string_view name : kClasses) EXPECT_EQ(label_fault(name), LabelFault::none) << name;
    EXPECT_EQ(label_fault(kProhibitedClass), LabelFault::prohibited);
    EXPECT_EQ(label_fault("prohibited_pci; retention=kyc"), LabelFault::prohibited);
}

TEST(Classification, OptionsInTheirOrder) {
    for (const char *label :
         {"pii; retention=kyc", "pii; export=no", "pii; retention=kyc_5; export=yes"})
        EXPECT_EQ(label_fault(label), LabelFault::none) << label;
    for (const char *label : {"pii;", "pii; ", "pii;retention=kyc", "pii; retention=",
                              "pii; retention=Kyc", "pii; retention=5", "pii; export=maybe",
                              "pii; export=yes; retention=kyc", "pii; export=yes; export=yes",
                              "pii; retention=kyc;", "pii; other=yes", "pii; retention=a b"})
        EXPECT_EQ(label_fault(label), LabelFault::option) << label;
    EXPECT_EQ(label_fault("pii; retention=" + std::string(kLongestRetentionName, 'a')),
              LabelFault::none);
    EXPECT_EQ(label_fault("pii; retention=" + std::string(kLongestRetentionName + 1, 'a')),
              LabelFault::option);
}

TEST(Classification, AnythingElseIsNoClass) {
    for (const char *label : {"", "PII", " pii", "pii ", "piis", "; retention=kyc", "prohibited"})
        EXPECT_EQ(label_fault(label), LabelFault::unknown_class) << label;
}
