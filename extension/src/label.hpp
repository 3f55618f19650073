// SPDX-License-Identifier: Apache-2.0
// Security labels of the provider "aegis": on sealed types their mask, on columns the class of what
// they hold.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::label {

constexpr char kProvider[] = "aegis";

// Before a statement that labels an object, in a session that Aegis has to do with.
void expect();

}  // namespace aegis::label
