// SPDX-License-Identifier: Apache-2.0
// One job of the outbox as the agent sees it, and what became of it. docs/outbox.md.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace aegis::server {

struct Task {
    std::string id;
    std::string kind;
    std::string transport;
    std::string destination;  // its name; empty for mail
    std::string url;          // what the name stands for
    std::string attempt;
    std::string lease;
    std::string key;  // goes along, so that the other side knows what came twice
    std::string payload;
};

struct Outcome {
    enum class Kind { delivered, retry, refused };
    Kind kind = Kind::retry;
    std::string error;  // one lower-case word
    int64_t status = 0;
    int64_t retry_after = 0;
    std::string content_type;
    std::string answer;

    static Outcome refused(const char *error) { return {Kind::refused, error, 0, 0, {}, {}}; }
    static Outcome retry(const char *error) { return {Kind::retry, error, 0, 0, {}, {}}; }
    static Outcome delivered() { return {Kind::delivered, {}, 0, 0, {}, {}}; }
};

// When what is under way must be given up, as a count of the steady clock; 0: nobody asked.
using Deadline = std::atomic<int64_t>;

inline bool is_over(const Deadline &deadline) {
    int64_t at = deadline.load();
    return at != 0 && std::chrono::steady_clock::now().time_since_epoch().count() >= at;
}

}  // namespace aegis::server
