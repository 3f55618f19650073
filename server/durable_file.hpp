// SPDX-License-Identifier: Apache-2.0
// Small files that are whole or not there: what is written is on disk, with its name, when a call
// returns.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace aegis::server {

struct FileError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Descriptor {
 public:
    explicit Descriptor(int number = -1) : number_(number) {}
    ~Descriptor();
    Descriptor(const Descriptor &) = delete;
    Descriptor &operator=(const Descriptor &) = delete;
    Descriptor(Descriptor &&other) noexcept : number_(other.release()) {}
    Descriptor &operator=(Descriptor &&other) noexcept;

    int get() const { return number_; }
    int release();

 private:
    int number_;
};

// "WHAT: the system's reason".
[[noreturn]] void fail_with_errno(const std::string &what);

// Throws FileError also when the file is longer than `most`.
std::string read_file(const std::string &path, size_t most);
// A new file; false when there is one of this name.
bool create_file(const std::string &path, std::string_view content, unsigned mode);
// The same for a file that nobody may see in part, and that is never removed: where the file system
// can, it gets its name when it is whole. A crash elsewhere leaves the beginning of it.
bool create_whole_file(const std::string &path, std::string_view content, unsigned mode);
// Puts the content in the place of whatever is there; a crash leaves the one or the other.
void replace_file(const std::string &path, std::string_view content, unsigned mode);
// A folder for this user alone. Throws FileError when somebody else could read or change it.
void make_private_folder(const std::string &path);
void check_private(const std::string &path);
// A folder that this user may write to, and not everybody.
void check_writable_folder(const std::string &path);

}  // namespace aegis::server
