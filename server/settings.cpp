// SPDX-License-Identifier: Apache-2.0
#include "settings.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include <toml++/toml.h>

namespace aegis::server {

namespace {

const Setting *find(const std::vector<Setting> &settings, std::string_view section,
                    std::string_view key) {
    for (const Setting &setting : settings) {
        if (section == setting.section && key == setting.key) return &setting;
    }
    return nullptr;
}

std::string known_keys(const std::vector<Setting> &settings, std::string_view section) {
    std::string list;
    for (const Setting &setting : settings) {
        if (section == setting.section)
            list += (list.empty() ? "" : ", ") + std::string(setting.key);
    }
    return list;
}

void check_range(const Setting &setting, int64_t value, const std::string &place) {
    if (value < setting.lowest || value > setting.highest)
        fail_config(place, "\"" + setting.name() + "\" is out of range",
                    "Use " + std::to_string(setting.lowest) + " to " +
                        std::to_string(setting.highest) + ".");
}

[[noreturn]] void wrong_type(const Setting &setting, const std::string &place, const char *wanted) {
    fail_config(place, "\"" + setting.name() + "\" has the wrong type",
                std::string("It takes ") + wanted + ".");
}

void take_node(const Setting &setting, const toml::node &node, const std::string &place) {
    if (auto target = std::get_if<std::string *>(&setting.target)) {
        auto value = node.value_exact<std::string>();
        if (!value) wrong_type(setting, place, "a text in quotes");
        **target = *value;
    } else if (auto target = std::get_if<int64_t *>(&setting.target)) {
        auto value = node.value_exact<int64_t>();
        if (!value) wrong_type(setting, place, "a whole number");
        check_range(setting, *value, place);
        **target = *value;
    } else if (auto target = std::get_if<bool *>(&setting.target)) {
        auto value = node.value_exact<bool>();
        if (!value) wrong_type(setting, place, "true or false");
        **target = *value;
    } else if (auto target = std::get_if<std::vector<std::string> *>(&setting.target)) {
        const toml::array *array = node.as_array();
        if (array == nullptr) wrong_type(setting, place, "a list of texts");
        (*target)->clear();
        for (const toml::node &item : *array) {
            auto value = item.value_exact<std::string>();
            if (!value) wrong_type(setting, place, "a list of texts");
            (*target)->push_back(*value);
        }
    }
}

void take_text(const Setting &setting, const std::string &text, const std::string &place) {
    if (auto target = std::get_if<std::string *>(&setting.target)) {
        **target = text;
    } else if (auto target = std::get_if<int64_t *>(&setting.target)) {
        char *end = nullptr;
        errno = 0;
        long long value = std::strtoll(text.c_str(), &end, 10);
        if (text.empty() || *end != '\0' || errno != 0)
            wrong_type(setting, place, "a whole number");
        check_range(setting, value, place);
        **target = value;
    } else if (auto target = std::get_if<bool *>(&setting.target)) {
        if (text != "true" && text != "false") wrong_type(setting, place, "true or false");
        **target = text == "true";
    } else if (auto target = std::get_if<std::vector<std::string> *>(&setting.target)) {
        (*target)->clear();
        for (size_t at = 0; at < text.size();) {
            size_t comma = std::min(text.find(',', at), text.size());
            (*target)->push_back(text.substr(at, comma - at));
            at = comma + 1;
        }
    }
}

std::string text_of(const Setting &setting) {
    if (auto target = std::get_if<std::string *>(&setting.target)) return **target;
    if (auto target = std::get_if<int64_t *>(&setting.target)) return std::to_string(**target);
    if (auto target = std::get_if<bool *>(&setting.target)) return **target ? "true" : "false";
    std::string text;
    for (const std::string &item : *std::get<std::vector<std::string> *>(setting.target))
        text += item + "\n";
    return text;
}

}  // namespace

void fail_config(const std::string &place, const std::string &message, const std::string &hint) {
    throw ConfigError(place + ": " + message, hint);
}

Variables variables_of_process() {
    Variables found;
    for (char **entry = environ; *entry != nullptr; ++entry) {
        const char *equals = std::strchr(*entry, '=');
        if (std::strncmp(*entry, "AEGIS_", 6) == 0 && equals != nullptr)
            found[std::string(*entry, static_cast<size_t>(equals - *entry))] = equals + 1;
    }
    return found;
}

struct Settings::Reader {
    Settings &settings;

    std::string place_of(const toml::source_region &source) const {
        return settings.path_ + ":" + std::to_string(source.begin.line);
    }

    void take_entries(const std::vector<Setting> &known, const std::string &section,
                      const toml::table &entries) {
        const auto namer = settings.named_.find(section);
        for (auto &&[key, value] : entries) {
            std::string place = place_of(value.source());
            if (namer != settings.named_.end() && value.is_table()) {
                const std::string name = section + "." + std::string(key.str());
                take_more(name, name, namer->second(std::string(key.str()), place),
                          *value.as_table());
                continue;
            }
            const Setting *setting = find(known, section, key.str());
            if (setting == nullptr)
                fail_config(
                    place, "unknown setting \"" + section + "." + std::string(key.str()) + "\"",
                    "Settings of [" + section + "] are: " + known_keys(known, section) + ".");
            take_node(*setting, value, place);
            settings.places_[setting->name()] = place;
        }
    }

    void take_more(const std::string &label, const std::string &section, std::vector<Setting> known,
                   const toml::table &entries) {
        take_entries(known, section, entries);
        settings.more_.emplace_back(label, std::move(known));
    }

    void take_list(const std::string &section, const toml::node &node, const Adder &adder) {
        const toml::array *array = node.as_array();
        for (size_t at = 0; array != nullptr && at < array->size(); ++at) {
            const toml::table *entries = array->get(at)->as_table();
            if (entries == nullptr) break;
            std::string place = place_of(entries->source());
            take_more(section + "[" + std::to_string(at + 1) + "]", section, adder(place),
                      *entries);
            if (at + 1 == array->size()) return;
        }
        fail_config(place_of(node.source()), "\"" + section + "\" is not a list of sections",
                    "Write [[" + section + "]] for each.");
    }

    void take(const toml::table &table) {
        for (auto &&[name, node] : table) {
            std::string section(name.str());
            auto list = settings.lists_.find(section);
            if (list != settings.lists_.end()) {
                take_list(section, node, list->second);
                continue;
            }
            const toml::table *entries = node.as_table();
            if (entries == nullptr || known_keys(settings.settings_, section).empty())
                fail_config(place_of(node.source()),
                            "unknown section or setting \"" + section + "\"",
                            "Sections are: " + settings.known_sections() + ".");
            take_entries(settings.settings_, section, *entries);
        }
    }
};

Settings::Settings(std::string prefix, std::string example, std::vector<Setting> settings)
    : prefix_(std::move(prefix)), example_(std::move(example)), settings_(std::move(settings)) {}

void Settings::add_list(const char *section, Adder adder) {
    lists_[section] = std::move(adder);
}

void Settings::add_named(const char *section, Namer namer) {
    named_[section] = std::move(namer);
}

std::string Settings::known_sections() const {
    std::string list;
    std::string last;
    for (const Setting &setting : settings_) {
        if (last != setting.section)
            list += (list.empty() ? "" : ", ") + std::string(setting.section);
        last = setting.section;
    }
    for (const auto &[section, adder] : lists_) list += ", " + section;
    return list;
}

std::string Settings::variable_name(const Setting &setting) const {
    std::string name = std::string(setting.section) + "_" + setting.key;
    std::transform(name.begin(), name.end(), name.begin(), ::toupper);
    return prefix_ + name;
}

void Settings::read_file(const std::string &path) {
    path_ = path;
    if (path.empty()) return;
    if (access(path.c_str(), R_OK) != 0)
        fail_config(path,
                    std::string("cannot read the configuration file: ") + std::strerror(errno),
                    "Name an existing file with --config; " + example_ + " documents it.");
    Reader reader{*this};
    toml::table table;
    try {
        table = toml::parse_file(path);
    } catch (const toml::parse_error &error) {
        fail_config(reader.place_of(error.source()), std::string(error.description()),
                    "The file is TOML: [section], then key = value.");
    }
    reader.take(table);
}

void Settings::read_variables(const Variables &variables, const std::vector<std::string> &others) {
    for (const auto &[name, text] : variables) {
        if (std::find(others.begin(), others.end(), name) != others.end()) continue;
        std::string place = "variable " + name;
        bool ours = false;
        for (const Setting &setting : settings_) {
            if (variable_name(setting) == name) {
                take_text(setting, text, place);
                places_[setting.name()] = place;
                ours = true;
                break;
            }
        }
        if (ours) continue;
        // Other programs of the product have AEGIS_* variables too; only ours can be misspelt.
        for (const Setting &setting : settings_) {
            std::string prefix = variable_name(setting);
            prefix.resize(prefix.size() - std::strlen(setting.key));
            if (name.compare(0, prefix.size(), prefix) == 0)
                fail_config(place, "unknown setting",
                            std::string("Settings of [") + setting.section +
                                "] are: " + known_keys(settings_, setting.section) + ".");
        }
    }
}

Values Settings::values() const {
    Values all;
    for (const Setting &setting : settings_) all[setting.name()] = text_of(setting);
    for (const auto &[label, settings] : more_)
        for (const Setting &setting : settings) all[label + "." + setting.key] = text_of(setting);
    return all;
}

std::vector<std::string> changed_settings(const Values &before, const Values &after) {
    std::vector<std::string> names;
    for (const auto &[name, value] : before) {
        const auto now = after.find(name);
        if (now == after.end() || now->second != value) names.push_back(name);
    }
    for (const auto &[name, value] : after)
        if (before.count(name) == 0) names.push_back(name);
    std::sort(names.begin(), names.end());
    return names;
}

std::string Settings::place(const std::string &name) const {
    auto found = places_.find(name);
    return found != places_.end() ? found->second : path_.empty() ? "defaults" : path_;
}

}  // namespace aegis::server
