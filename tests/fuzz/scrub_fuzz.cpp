// SPDX-License-Identifier: Apache-2.0
// The scrubber on any bytes: it ends, what was text stays text, what was JSON stays JSON, the two
// profiles do what they say, and nothing that it leaves is refused by the verifier.
#include <cstdlib>
#include <string>

#include "core/encoding.hpp"
#include "core/scrub.hpp"
#include "core/scrub_ladder.hpp"
#include "core/scrub_verify.hpp"

using namespace aegis::core;

namespace {

void require(bool holds) {
    if (!holds) abort();
}

bool is_json(std::string_view text) {
    size_t left = text.size() * 64 + 65536;
    Edits edits;
    return scan_json(text, {false, true, 0, &left}, &edits);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const std::string_view text(reinterpret_cast<const char *>(data), size);
    const Scrubbed result = scrub(text);
    require(result.changed == !result.findings.empty());
    require(result.changed == has_card_data(text, ScrubProfile::payload));
    const std::string made = result.changed ? result.text : std::string(text);
    if (is_text({data, size})) require(is_text(as_bytes(made)));
    if (is_json(text)) require(is_json(made));
    require(is_free_of_card_data(as_bytes(made)));
    if (has_card_data(text, ScrubProfile::user_field)) require(result.changed);
    return 0;
}
