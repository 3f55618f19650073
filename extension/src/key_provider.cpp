// SPDX-License-Identifier: Apache-2.0
// Which provider aegis.key_provider names, and what it delivers.
#include "key_provider.hpp"

#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "key_provider_text.hpp"
#include "pg/guard.hpp"

namespace aegis::key {

bool fail(Fault *fault, const char *hint, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(fault->message, sizeof fault->message, format, args);
    va_end(args);
    strlcpy(fault->hint, hint, sizeof fault->hint);
    return false;
}

Got append(int descriptor, Text *text) {
    ssize_t got = read(descriptor, text->bytes + text->size, sizeof text->bytes - text->size);
    if (got < 0) return errno == EINTR || errno == EAGAIN ? Got::more : Got::error;
    text->size += static_cast<size_t>(got);
    if (text->size > kMaxKeyringText) return Got::too_much;
    return got == 0 ? Got::end : Got::more;
}

namespace {

// Names the line, never what stands in it.
bool parse(const Text &text, core::Keyring *keyring, Fault *fault) {
    int line = 0;
    pg::Report report = pg::run([&] {
        core::parse_keyring({text.bytes, text.size}, keyring, &line);
    });
    if (!report.failed) return true;
    const char *reason = report.message ? report.message : report.text;
    const char *hint = "Each line is version:64 hex digits, as aegis-keygen writes it.";
    if (line == 0) return fail(fault, hint, "key provider delivered no valid keyring: %s", reason);
    return fail(fault, hint, "key provider delivered no valid keyring: line %d: %s", line, reason);
}

// The variable is gone once it was read, so its keys stay until the server starts anew.
bool keep_environment(const char *name, const Page &before, core::Keyring *keyring, Fault *fault) {
    if (strcmp(before.variable, name) != 0)
        return fail(fault, "Restart the server with the variable set, or use file:PATH.",
                    "environment variable \"%s\" can be read at server start only", name);
    *keyring = before.keyring;
    return true;
}

}  // namespace

bool read_provider(const char *setting, const Page &before, core::Keyring *keyring, Fault *fault) {
    memset(keyring, 0, sizeof *keyring);
    memset(fault, 0, sizeof *fault);
    if (setting == nullptr || *setting == '\0') return true;
    const char *variable = variable_of(setting);
    if (variable != nullptr && IsUnderPostmaster)
        return keep_environment(variable, before, keyring, fault);

    Text text;
    text.size = 0;
    bool good;
    if (variable != nullptr)
        good = take_environment(variable, &text, fault);
    else if (strncmp(setting, "file:", 5) == 0)
        good = read_file(setting + 5, &text, fault);
    else if (strncmp(setting, "command:", 8) == 0)
        good = run_command(setting + 8, &text, fault);
    else
        good = fail(fault, "Valid forms are file:PATH, command:PATH ARG... and env:NAME.",
                    "aegis.key_provider names no known provider");
    if (good) good = parse(text, keyring, fault);
    core::wipe({reinterpret_cast<uint8_t *>(text.bytes), sizeof text.bytes});
    return good;
}

const char *variable_of(const char *setting) {
    return setting != nullptr && strncmp(setting, "env:", 4) == 0 ? setting + 4 : nullptr;
}

}  // namespace aegis::key
