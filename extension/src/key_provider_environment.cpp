// SPDX-License-Identifier: Apache-2.0
// env:NAME, a variable of the postmaster's environment, for development. Whoever started the server
// has it as well, in memory, in a unit or a shell's history: that is why it is not for more.
#include <cstdio>
#include <cstdlib>

#include "core/secret.hpp"
#include "key_provider_text.hpp"

namespace aegis::key {

namespace {

bool is_name(const char *name) {
    size_t size = strlen(name);
    return size > 0 && size < kMaxVariableName && (*name < '0' || *name > '9') &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == size;
}

// Where the kernel put the variables when the program started. PostgreSQL goes on with a copy and
// uses this memory for the titles of its children; /proc/PID/environ still reads from it.
bool find_first_environment(char **begin, char **end) {
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == nullptr) return false;
    char line[2048];
    size_t size = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[size] = '\0';
    // The second field may contain spaces, and ends with the last parenthesis. env_start and
    // env_end are fields 50 and 51.
    char *rest = strrchr(line, ')');
    if (rest == nullptr) return false;
    unsigned long bounds[2] = {};
    int field = 2;
    char *place = nullptr;
    for (char *word = strtok_r(rest, " ", &place); word != nullptr;
         word = strtok_r(nullptr, " ", &place), field++)
        if (field == 50 || field == 51) bounds[field - 50] = strtoul(word, nullptr, 10);
    *begin = reinterpret_cast<char *>(bounds[0]);
    *end = reinterpret_cast<char *>(bounds[1]);
    return bounds[0] != 0 && bounds[0] < bounds[1];
}

void wipe_text(char *text, size_t size) {
    core::wipe({reinterpret_cast<uint8_t *>(text), size});
}

void wipe_first_environment(const char *name) {
    char *at, *end;
    size_t size = strlen(name);
    if (!find_first_environment(&at, &end)) return;
    while (at < end) {
        size_t length = strnlen(at, static_cast<size_t>(end - at));
        if (length > size && strncmp(at, name, size) == 0 && at[size] == '=')
            wipe_text(at + size + 1, length - size - 1);
        at += length + 1;
    }
}

}  // namespace

bool take_environment(const char *name, Text *text, Fault *fault) {
    if (!is_name(name))
        return fail(fault, "Write env: and the name of a variable: letters, digits, underscores.",
                    "key variable \"%s\" is not the name of a variable", name);
    char *value = getenv(name);
    if (value == nullptr)
        return fail(fault, "Set it for the process that starts the server, or use file:PATH.",
                    "environment variable \"%s\" is not set", name);
    size_t size = strlen(value);
    bool fits = size <= kMaxKeyringText;
    if (fits) memcpy(text->bytes, value, size);
    text->size = fits ? size : 0;
    wipe_text(value, size);
    unsetenv(name);
    wipe_first_environment(name);
    if (!fits)
        return fail(fault, kMakeOne, "environment variable \"%s\" is longer than %zu bytes", name,
                    kMaxKeyringText);
    return true;
}

}  // namespace aegis::key
