// SPDX-License-Identifier: Apache-2.0
#include "log.hpp"

#include "core/scrub.hpp"
#include "json.hpp"

#include <ctime>
#include <memory>
#include <mutex>
#include <stdexcept>

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace aegis::server {

namespace {

std::shared_ptr<spdlog::logger> logger;
std::string level_name = "info";
std::string file_name;

// Lines of requests that are not written yet. Each costs a system call otherwise, and all workers
// meet in it.
constexpr size_t kLongestBuffer = 65536;
constexpr auto kPromptly = std::chrono::milliseconds(10);
std::mutex buffer_lock;
std::string buffer;
std::chrono::steady_clock::time_point last_written;

std::mutex listener_lock;
ErrorListener listener;

void tell_listener(std::string_view event,
                   const std::vector<std::pair<std::string_view, std::string>> &fields) {
    std::lock_guard<std::mutex> guard(listener_lock);
    if (listener) listener(event, fields);
}

// Up to the second it is made once in a second by each thread.
std::string timestamp() {
    auto now = std::chrono::system_clock::now().time_since_epoch();
    auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    thread_local std::time_t made = -1;
    thread_local char text[32];
    const std::time_t seconds = micros / 1000000;
    if (seconds != made) {
        std::tm parts{};
        gmtime_r(&seconds, &parts);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
        made = seconds;
    }
    std::string stamp(text);
    stamp += ".000000Z";
    auto rest = micros % 1000000;
    for (size_t at = stamp.size() - 2; rest > 0; --at, rest /= 10)
        stamp[at] = static_cast<char>('0' + rest % 10);
    return stamp;
}

spdlog::level::level_enum spdlog_level(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warn:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

const char *name_of(Level level) {
    switch (level) {
        case Level::debug:
            return "debug";
        case Level::info:
            return "info";
        case Level::warn:
            return "warn";
        case Level::error:
            return "error";
    }
    return "error";
}

// The target of a line of this level; nullptr when nobody wants it.
std::shared_ptr<spdlog::logger> target_of(Level level) {
    auto target = std::atomic_load(&logger);
    return target != nullptr && target->should_log(spdlog_level(level)) ? target : nullptr;
}

void write_out(spdlog::logger *target) {
    if (!buffer.empty()) {
        buffer.pop_back();  // the logger ends the line
        target->log(spdlog::level::err, spdlog::string_view_t(buffer));
        buffer.clear();
    }
    last_written = std::chrono::steady_clock::now();
}

void add_line(spdlog::logger *target, const std::string &line, bool now) {
    const core::Scrubbed clean = core::scrub(line);
    std::lock_guard<std::mutex> guard(buffer_lock);
    buffer += clean.changed ? clean.text : line;
    buffer += '\n';
    if (now || buffer.size() > kLongestBuffer ||
        std::chrono::steady_clock::now() - last_written > kPromptly)
        write_out(target);
}

void begin(JsonObject *line, Level level, std::string_view event) {
    line->add("time", timestamp()).add("level", name_of(level)).add("event", event);
}

}  // namespace

std::string scrubbed(const std::string &text) {
    core::Scrubbed clean = core::scrub(text);
    return clean.changed ? std::move(clean.text) : text;
}

void open_log(std::string_view level, const std::string &file) {
    std::shared_ptr<spdlog::sinks::sink> sink;
    try {
        if (file.empty())
            sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        else
            sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    } catch (const spdlog::spdlog_ex &error) {
        throw std::runtime_error("cannot open the log file: " + std::string(error.what()));
    }
    auto made = std::make_shared<spdlog::logger>("aegis-server", std::move(sink));
    made->set_pattern("%v");
    made->set_level(spdlog::level::from_str(level == "warn" ? "warning" : std::string(level)));
    made->flush_on(spdlog::level::debug);
    flush_log();
    level_name = level;
    file_name = file;
    std::atomic_store(&logger, std::move(made));
}

void reopen_log() {
    if (!file_name.empty()) open_log(std::string(level_name), std::string(file_name));
}

void log_request(const RequestLine &request) {
    const Level level = request.status >= 500 ? Level::error : Level::info;
    if (level == Level::error && !request.withheld)
        tell_listener("request", {{"request_id", std::string(request.request_id)},
                                  {"trace_id", std::string(request.trace_id)},
                                  {"method", std::string(request.method)},
                                  {"route", std::string(request.route)},
                                  {"problem", std::string(request.problem)},
                                  {"status", std::to_string(request.status)}});
    auto target = target_of(level);
    if (target == nullptr) return;
    JsonObject line;
    begin(&line, level, "request");
    line.add("request_id", request.request_id)
        .add_some("trace_id", request.trace_id)
        .add_some("method", request.method)
        .add_some("route", request.route)
        .add("status", int64_t{request.status})
        .add("duration_ms", std::chrono::duration<double, std::milli>(request.duration).count())
        .add("peer", request.peer)
        .add_some("region", request.region)
        .add_some("problem", request.problem);
    add_line(target.get(), line.text(), level == Level::error);
}

void report_errors_to(ErrorListener heard) {
    std::lock_guard<std::mutex> guard(listener_lock);
    listener = std::move(heard);
}

void flush_log() {
    auto target = std::atomic_load(&logger);
    std::lock_guard<std::mutex> guard(buffer_lock);
    if (target != nullptr && !buffer.empty()) write_out(target.get());
}

void log_event(Level level, std::string_view event,
               const std::vector<std::pair<std::string_view, std::string>> &fields) {
    if (level == Level::error) tell_listener(event, fields);
    auto target = target_of(level);
    if (target == nullptr) return;
    JsonObject line;
    begin(&line, level, event);
    for (const auto &[name, value] : fields) line.add(name, std::string_view(value));
    add_line(target.get(), line.text(), true);
}

void log_failure(std::string_view event, const std::exception &error) noexcept {
    try {
        log_event(Level::error, event, {{"message", error.what()}});
    } catch (const std::exception &) {
        // There is nothing left to say it with.
    }
}

}  // namespace aegis::server
