// SPDX-License-Identifier: Apache-2.0
#include "verify_bundle.hpp"

#include "core/error.hpp"
#include "verify_io.hpp"

namespace aegis::verify_tool {

void read_bundle(const std::string &path, core::BundleCheck *check) {
    Input file(path);
    std::string line;
    bool ended = true;
    try {
        while (file.next(&line, &ended)) check->line(line);
        check->finish();
    } catch (const core::Error &error) {
        fail(
            "\"" + path + "\", line " + std::to_string(check->line_number()) + ": " + error.message,
            "The file is not a bundle, or was damaged or cut on its way: export it again.");
    }
    if (!ended) fail("\"" + path + "\": the last line has no end", "Export it again.");
}

}  // namespace aegis::verify_tool
