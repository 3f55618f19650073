// SPDX-License-Identifier: Apache-2.0
// One JSON object per line, to standard error or a file. Only what is named here is ever logged: no
// header values, cookies, queries or bodies, and of the path only the route's template.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aegis::server {

enum class Level { debug, info, warn, error };

struct RequestLine {
    std::string_view request_id;
    std::string_view trace_id;  // empty when the caller names no trace
    std::string_view method;    // empty when the head could not be read
    std::string_view route;     // template, empty when no route matched
    std::string_view peer;
    std::string_view
        problem;              // name of the gateway's own refusal, empty when the database answered
    std::string_view region;  // empty where there is one only
    bool withheld = false;    // nothing is told of it beyond this log
    int status = 0;
    std::chrono::nanoseconds duration{0};
};

// The text without card data: every line goes through this, whoever owns it, and so does what a
// program prints about its end.
std::string scrubbed(const std::string &text);

// Throws std::runtime_error when the file cannot be opened, and then nothing has changed. An empty
// file means standard error. From one thread.
void open_log(std::string_view level, const std::string &file);
// For rotation: the file is opened again under its name.
void reopen_log();

// Lines of requests that follow each other closely are written together, those of errors and events
// at once; flush_log() writes what is left and is called ten times a second.
void log_request(const RequestLine &line);
void flush_log();
// event is a stable lower-case name; the pairs are constant or operator-owned texts.
void log_event(Level level, std::string_view event,
               const std::vector<std::pair<std::string_view, std::string>> &fields = {});

// What an exception is: where even its line needs memory that there is none of, it is dropped. Who
// has something to give back does that first.
void log_failure(std::string_view event, const std::exception &error) noexcept;

// Is told of every error beside its line, on the thread that logs it, but not of requests that are
// withheld; nullptr: nobody is. It must not wait and not log.
using ErrorListener = std::function<void(
    std::string_view event, const std::vector<std::pair<std::string_view, std::string>> &fields)>;
void report_errors_to(ErrorListener listener);

}  // namespace aegis::server
