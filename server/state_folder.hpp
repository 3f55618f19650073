// SPDX-License-Identifier: Apache-2.0
// The folder in which a signer or a witness keeps what it must never forget: one file for the head
// of each log, called by the SHA-256 of the log's name, and a lock that only one process holds.
#pragma once

#include <string>

#include "durable_file.hpp"

namespace aegis::server {

inline constexpr unsigned kStateMode = 0600;

bool exists(const std::string &path);
std::string hex_of_name(const std::string &origin);  // SHA-256, lower case
std::string head_path(const std::string &folder, const std::string &origin);
// Throws FileError while another process has the folder's lock.
Descriptor lock_folder(const std::string &folder);

}  // namespace aegis::server
