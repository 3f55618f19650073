// SPDX-License-Identifier: Apache-2.0
// What a program takes from its command line. CLI11 reads it; its header takes a compiler longer
// than any of the programs does, so that only one file sees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace aegis::command_line {

// Handles of what the program holds; each returns itself, so that they chain.
class Option {
 public:
    explicit Option(CLI::Option *option) : option_(option) {}
    Option required() const;
    Option excludes(Option other) const;
    Option needs(Option other) const;
    Option positive() const;
    Option between(int64_t least, int64_t most) const;
    Option show_default() const;  // the value that it has now, in the help

 private:
    CLI::Option *option_;
};

class Command {
 public:
    Command() = default;  // none yet
    explicit Command(CLI::App *app) : app_(app) {}

    // "--name" for an option, "name" for an argument; an option into a vector may be given again.
    Option option(const char *name, std::string *value, const char *help) const;
    Option option(const char *name, std::vector<std::string> *values, const char *help) const;
    Option option(const char *name, int64_t *value, const char *help) const;
    Option option(const char *name, size_t *value, const char *help) const;
    Option flag(const char *name, bool *value, const char *help) const;
    Command command(const char *name, const char *help) const;
    void footer(const std::string &text) const;
    void require_command() const;
    // An empty value of any option here or in a command below is a wrong argument.
    void refuse_empty() const;
    bool given() const;

 protected:
    CLI::App *app_ = nullptr;
};

class Program : public Command {
 public:
    Program(const char *description, const char *name);
    ~Program();
    void version(const std::string &text);
    // False when the program is to end with the status: 0 after --help and --version, above 100 for
    // wrong arguments, which were explained on standard error.
    bool parse(int argc, char **argv, int *status);

 private:
    std::unique_ptr<CLI::App> owned_;
};

}  // namespace aegis::command_line
