// SPDX-License-Identifier: Apache-2.0
#include "outbound_file.hpp"

#include <unistd.h>

#include "durable_file.hpp"
#include "json_reader.hpp"
#include "log.hpp"
#include "pattern.hpp"

namespace aegis::server {

namespace {

constexpr std::string_view kScheme = "drop:";
constexpr size_t kFileBytes = 1024 * 1024;
constexpr int64_t kExists = 412;  // as of a store that was told to write nothing over

bool is_answer(const JsonReader &payload, int64_t status) {
    for (int64_t accepted : payload.numbers("accept").value_or(std::vector<int64_t>()))
        if (accepted == status) return true;
    return false;
}

// Whoever wants to know what is there in its place is told.
Outcome exists_already(const JsonReader &payload, std::string there) {
    if (!is_answer(payload, kExists)) return Outcome::refused("file_exists");
    Outcome outcome = Outcome::delivered();
    outcome.status = kExists;
    outcome.answer = std::move(there);
    return outcome;
}

}  // namespace

Outcome carry_file(const AgentConfig &config, const Task &task) {
    static const Pattern file_name("[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}");
    const JsonReader reader(task.payload);
    const std::string name = reader.text("name").value_or("");
    const std::optional<std::string> body = reader.bytes("body");
    if (!reader.has_only({"name", "body", "accept"}) || !body ||
        (reader.has("accept") && !reader.numbers("accept")) || !file_name.fits(name))
        return Outcome::refused("payload_malformed");
    const DropFolder *drop = task.url.compare(0, kScheme.size(), kScheme) == 0
                                 ? config.find_drop(task.url.substr(kScheme.size()))
                                 : nullptr;
    if (drop == nullptr) return Outcome::refused("destination_not_allowed");
    const std::string path = drop->folder + "/" + name;
    try {
        if (create_whole_file(path, *body, 0444)) return Outcome::delivered();
        // An earlier attempt wrote it, and its word was lost.
        std::string there = read_file(path, kFileBytes);
        return there == *body ? Outcome::delivered() : exists_already(reader, std::move(there));
    } catch (const FileError &error) {
        log_event(Level::error, "drop_failed", {{"drop", drop->name}, {"error", error.what()}});
        return Outcome::retry("drop_failed");
    }
}

}  // namespace aegis::server
