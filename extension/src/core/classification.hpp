// SPDX-License-Identifier: Apache-2.0
// What kind of data a column holds, as one line of text. docs/classification.md has the classes.
//
//     CLASS [ "; retention=" NAME ] [ "; export=" ("yes" | "no") ]
#pragma once

#include <string_view>

namespace aegis::core {

constexpr std::string_view kClasses[] = {"public", "internal",    "confidential",
                                         "pii",    "pii_special", "secret"};
// The class of what must not be stored at all: cards' numbers, codes, expiry, tracks (PCI DSS 3.3).
constexpr std::string_view kProhibitedClass = "prohibited_pci";
constexpr size_t kLongestRetentionName = 63;

enum class LabelFault { none, unknown_class, prohibited, option };

LabelFault label_fault(std::string_view label);

}  // namespace aegis::core
