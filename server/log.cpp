// SPDX-License-Identifier: Apache-2.0
#include "log.hpp"

#include "problem.hpp"

#include <ctime>
#include <memory>
#include <stdexcept>

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace aegis::server {

namespace {

std::shared_ptr<spdlog::logger> logger;
std::string level_name = "info";
std::string file_name;

std::string timestamp() {
    auto now = std::chrono::system_clock::now().time_since_epoch();
    auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    std::time_t seconds = micros / 1000000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[48];
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900,
             parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
             static_cast<int>(micros % 1000000));
    return text;
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

void write_line(Level level, std::string_view event, const std::string &rest) {
    auto target = std::atomic_load(&logger);
    if (target == nullptr || !target->should_log(spdlog_level(level))) return;
    std::string line = "{\"time\":\"" + timestamp() + "\",\"level\":\"" + name_of(level) +
                       "\",\"event\":" + json_string(event) + rest + "}";
    target->log(spdlog_level(level), spdlog::string_view_t(line));
}

}  // namespace

void open_log(std::string_view level, const std::string &file) {
    level_name = level;
    file_name = file;
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
    made->set_level(spdlog::level::from_str(level_name == "warn" ? "warning" : level_name));
    made->flush_on(spdlog::level::debug);
    std::atomic_store(&logger, std::move(made));
}

void reopen_log() {
    if (!file_name.empty()) open_log(std::string(level_name), std::string(file_name));
}

void log_request(const RequestLine &line) {
    char duration[32];
    snprintf(duration, sizeof(duration), "%.3f",
             std::chrono::duration<double, std::milli>(line.duration).count());
    std::string rest = ",\"request_id\":" + json_string(line.request_id);
    if (!line.method.empty()) rest += ",\"method\":" + json_string(line.method);
    if (!line.route.empty()) rest += ",\"route\":" + json_string(line.route);
    rest += ",\"status\":" + std::to_string(line.status) + ",\"duration_ms\":" + duration +
            ",\"peer\":" + json_string(line.peer);
    if (!line.problem.empty()) rest += ",\"problem\":" + json_string(line.problem);
    write_line(line.status >= 500 ? Level::error : Level::info, "request", rest);
}

void log_event(Level level, std::string_view event,
               const std::vector<std::pair<std::string_view, std::string>> &fields) {
    std::string rest;
    for (const auto &[name, value] : fields)
        rest += "," + json_string(name) + ":" + json_string(value);
    write_line(level, event, rest);
}

}  // namespace aegis::server
