// SPDX-License-Identifier: Apache-2.0
// Settings of a program: a TOML file, overridden by variables PREFIX_<SECTION>_<KEY>. A setting
// that is unknown, of another type or out of range stops the start and is named with its place.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace aegis::server {

// what() is "PLACE: message"; the hint says what to do about it.
class ConfigError : public std::runtime_error {
 public:
    ConfigError(const std::string &message, std::string hint)
        : std::runtime_error(message), hint_(std::move(hint)) {}
    const std::string &hint() const { return hint_; }

 private:
    std::string hint_;
};

[[noreturn]] void fail_config(const std::string &place, const std::string &message,
                              const std::string &hint);

struct Setting {
    const char *section;
    const char *key;
    std::variant<std::string *, int64_t *, bool *, std::vector<std::string> *> target;
    int64_t lowest = 0;
    int64_t highest = 0;

    std::string name() const { return std::string(section) + "." + key; }
};

using Variables = std::map<std::string, std::string>;
// Settings as text, by name.
using Values = std::map<std::string, std::string>;

// The names whose values differ, or that only one of them has.
std::vector<std::string> changed_settings(const Values &before, const Values &after);

// The process's AEGIS_* variables.
Variables variables_of_process();

class Settings {
 public:
    // Makes room for one more [[section]] and says what its settings are.
    using Adder = std::function<std::vector<Setting>(const std::string &place)>;

    // The same for a section of a name of its own below another one: [section.NAME].
    using Namer =
        std::function<std::vector<Setting>(const std::string &name, const std::string &place)>;

    // `prefix` of variables: "AEGIS_"; `example`: the file that documents them.
    Settings(std::string prefix, std::string example, std::vector<Setting> settings);

    void add_list(const char *section, Adder adder);
    void add_named(const char *section, Namer namer);
    // An empty path: nothing is read.
    void read_file(const std::string &path);
    // `others`: variables that the caller reads itself.
    void read_variables(const Variables &variables, const std::vector<std::string> &others = {});

    // What each is set to, to be compared with another reading. Keys of the n-th [[section]] are
    // "section[n].key".
    Values values() const;

    // Where a setting came from, for messages about combinations that are found later.
    std::string place(const std::string &name) const;
    void set_place(const std::string &name, const std::string &place) { places_[name] = place; }

 private:
    struct Reader;  // knows the library that reads TOML

    std::string known_sections() const;
    std::string variable_name(const Setting &setting) const;

    std::string prefix_;
    std::string example_;
    std::vector<Setting> settings_;
    // Of sections of which there may be several: what they are called in values().
    std::vector<std::pair<std::string, std::vector<Setting>>> more_;
    std::map<std::string, Adder> lists_;
    std::map<std::string, Namer> named_;
    std::map<std::string, std::string> places_;
    std::string path_;
};

}  // namespace aegis::server
