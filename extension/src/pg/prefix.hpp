// SPDX-License-Identifier: Apache-2.0
// What every file of the extension but core begins with, compiled once: standard headers, which
// must come before the server's, and those. The build includes it, so it has no guard; a file still
// includes what it uses.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/postgres.hpp"
