// SPDX-License-Identifier: Apache-2.0
#include "command_line.hpp"

#include <CLI/CLI.hpp>

namespace aegis::command_line {

Option Option::required() const {
    option_->required();
    return *this;
}

Option Option::excludes(Option other) const {
    option_->excludes(other.option_);
    return *this;
}

Option Option::needs(Option other) const {
    option_->needs(other.option_);
    return *this;
}

Option Option::positive() const {
    option_->check(CLI::PositiveNumber);
    return *this;
}

Option Option::between(int64_t least, int64_t most) const {
    option_->check(CLI::Range(least, most));
    return *this;
}

Option Option::show_default() const {
    option_->capture_default_str();
    return *this;
}

Option Command::option(const char *name, std::string *value, const char *help) const {
    return Option(app_->add_option(name, *value, help));
}

Option Command::option(const char *name, std::vector<std::string> *values, const char *help) const {
    return Option(app_->add_option(name, *values, help));
}

Option Command::option(const char *name, int64_t *value, const char *help) const {
    return Option(app_->add_option(name, *value, help));
}

Option Command::option(const char *name, size_t *value, const char *help) const {
    return Option(app_->add_option(name, *value, help));
}

Option Command::flag(const char *name, bool *value, const char *help) const {
    return Option(app_->add_flag(name, *value, help));
}

Command Command::command(const char *name, const char *help) const {
    return Command(app_->add_subcommand(name, help));
}

void Command::footer(const std::string &text) const {
    app_->footer(text);
}

void Command::require_command() const {
    app_->require_subcommand(1);
}

void Command::refuse_empty() const {
    const CLI::Validator filled(
        [](std::string &text) { return text.empty() ? "it must not be empty" : std::string(); },
        "");
    for (CLI::Option *option : app_->get_options())
        if (option->get_items_expected_max() > 0) option->check(filled);
    for (CLI::App *below : app_->get_subcommands({})) Command(below).refuse_empty();
}

bool Command::given() const {
    return app_->parsed();
}

Program::Program(const char *description, const char *name)
    : owned_(std::make_unique<CLI::App>(description, name)) {
    app_ = owned_.get();
}

Program::~Program() = default;

void Program::version(const std::string &text) {
    app_->set_version_flag("--version", text);
}

bool Program::parse(int argc, char **argv, int *status) {
    try {
        app_->parse(argc, argv);
    } catch (const CLI::ParseError &error) {
        *status = app_->exit(error);
        return false;
    }
    return true;
}

}  // namespace aegis::command_line
