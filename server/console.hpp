// SPDX-License-Identifier: Apache-2.0
// The console: one page for people, whose scripts use the same interface as everybody else. Its
// page and assets are part of the program; nothing here reads files or asks the database.
#pragma once

#include "response.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace aegis::server {

// The template of a path of the console ("/customers/{id}", "/assets/{file}"), a constant; empty
// for every other path.
std::string_view console_route(std::string_view path);

// What a GET of such a path is answered with. The page is the same for all of them, but for the
// nonce that admits its scripts and styles, and for `/invoice`, which may post a form to
// `payment_forms` as well.
Response console_response(std::string_view path, const std::vector<std::string> &payment_forms);

}  // namespace aegis::server
