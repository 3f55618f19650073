// SPDX-License-Identifier: Apache-2.0
// The text of a keyring, and one function for each kind of provider that it may come from. Each
// returns true and fills *text, or false and fills *fault, which names paths and reasons, never
// content. docs/key.md.
#pragma once

#include "key_provider.hpp"

namespace aegis::key {

struct Text {  // holds key material; the caller wipes it
    char bytes[kMaxKeyringText + 1];
    size_t size;
};

inline constexpr const char *kMakeOne =
    "Create a key file with aegis-keygen, or correct aegis.key_provider.";

// Fills *fault and returns false.
__attribute__((format(printf, 3, 4))) bool fail(Fault *fault, const char *hint, const char *format,
                                                ...);

enum class Got { more, end, too_much, error };
// Appends what the descriptor has to give now; errno tells of an error.
Got append(int descriptor, Text *text);

bool read_file(const char *path, Text *text, Fault *fault);
bool run_command(const char *command, Text *text, Fault *fault);
// Takes the variable out of this process: what is started later does not inherit it, and
// /proc/PID/environ does not show it.
bool take_environment(const char *name, Text *text, Fault *fault);

}  // namespace aegis::key
