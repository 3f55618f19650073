// SPDX-License-Identifier: Apache-2.0
// Called while an error is reported, so nothing here may raise one, look into a catalog, or, for
// texts that hold nothing, allocate: a signal handler may be what reports.
#include "scrub_log.hpp"

#include "core/scrub.hpp"
#include "core/scrub_look.hpp"
#include "pg/guard.hpp"

namespace aegis::scrub {

namespace {

constexpr char kUnknown[] = "(not shown: it could not be searched for card data)";
constexpr char kNoStatement[] = "The statement is not shown, for it holds card data.";

bool may_hold_card_data(std::string_view text) {
    // Most lines have no digits, and most of the others too few or none that belong together.
    core::Look look = core::look_at(text);
    return (look.seen & (core::kLookDigit | core::kLookForeign)) &&
           core::deserves_a_scan(look, text);
}

// The text, or what is left of it in memory of the line.
char *clean(char *text) {
    if (text == nullptr || !may_hold_card_data(text)) return text;
    char *made = nullptr;
    for (int round = 0; round < 2; round++) {
        size_t size = 0;
        bool changed = false;
        pg::Report report = pg::run([&] {
            const core::Scrubbed result = core::scrub(text);
            changed = result.changed;
            size = result.text.size();
            if (made != nullptr) memcpy(made, result.text.c_str(), size + 1);
        });
        if (report.failed) return pstrdup(kUnknown);
        if (!changed) return text;
        if (made == nullptr) made = static_cast<char *>(palloc(size + 1));
    }
    return made;
}

bool has_card_data(const char *text) {
    if (text == nullptr || !may_hold_card_data(text)) return false;
    bool found = false;
    pg::Report report =
        pg::run([&] { found = core::has_card_data(text, core::ScrubProfile::payload); });
    return report.failed || found;
}

}  // namespace

void clean_log(ErrorData *line) {
    MemoryContext caller = MemoryContextSwitchTo(line->assoc_context);
    line->message = clean(line->message);
    line->detail = clean(line->detail);
    line->detail_log = clean(line->detail_log);
    line->hint = clean(line->hint);
    line->context = clean(line->context);
    line->internalquery = clean(line->internalquery);
    if (!line->hide_stmt && has_card_data(debug_query_string)) {
        line->hide_stmt = true;
        const char *detail = line->detail_log != nullptr ? line->detail_log : line->detail;
        line->detail_log =
            detail == nullptr ? pstrdup(kNoStatement) : psprintf("%s\n%s", detail, kNoStatement);
    }
    MemoryContextSwitchTo(caller);
}

}  // namespace aegis::scrub
