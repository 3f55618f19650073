// SPDX-License-Identifier: Apache-2.0
// The functions in SQL, for text and jsonb. All are pure: the same input gives the same answer in
// every session.
#include "scrub.hpp"

#include "core/scrub_verify.hpp"
#include "pg/function.hpp"

namespace aegis::scrub {

namespace {

std::string_view view_of(core::ByteView value) {
    return {reinterpret_cast<const char *>(value.data), value.size};
}

core::ByteView view_of(text *value) {
    return pg::varlena_view(PointerGetDatum(value));
}

struct Finding {
    core::CardData kind;
    size_t pointer_size;
    char pointer[core::kLongestPointer];
};

// Puts at most `room` findings, from number `from` on; returns how many there are in all.
size_t find(core::ByteView value, size_t from, Finding *out, size_t room) {
    size_t count = 0;
    pg::raise(pg::run([&] {
        const core::Scrubbed result = core::scrub(view_of(value));
        count = result.findings.size();
        for (size_t i = 0; i < room && from + i < count; i++) {
            const core::CardFinding &finding = result.findings[from + i];
            out[i].kind = finding.kind;
            out[i].pointer_size = finding.pointer.size();
            memcpy(out[i].pointer, finding.pointer.data(), finding.pointer.size());
        }
    }));
    return count;
}

Datum find_all(FunctionCallInfo fcinfo, core::ByteView value) {
    InitMaterializedSRF(fcinfo, 0);
    ReturnSetInfo *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    size_t count = find(value, 0, nullptr, 0);
    if (count == 0) return Datum(0);
    Finding *findings = static_cast<Finding *>(
        MemoryContextAllocHuge(CurrentMemoryContext, count * sizeof(Finding)));
    find(value, 0, findings, count);
    for (size_t i = 0; i < count; i++) {
        Datum values[] = {CStringGetTextDatum(core::card_data_word(findings[i].kind)),
                          PointerGetDatum(cstring_to_text_with_len(
                              findings[i].pointer, static_cast<int>(findings[i].pointer_size)))};
        bool nulls[] = {false, false};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
    pfree(findings);
    return Datum(0);
}

bool is_free(core::ByteView value) {
    bool free = false;
    pg::raise(pg::run([&] { free = core::is_free_of_card_data(value); }));
    return free;
}

}  // namespace

core::ScrubProfile profile_of(text *name) {
    core::ByteView word = view_of(name);
    if (view_of(word) == "payload") return core::ScrubProfile::payload;
    if (view_of(word) == "user_field") return core::ScrubProfile::user_field;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("profile \"%s\" does not exist", text_to_cstring(name)),
                    errhint("There are: payload, user_field.")));
}

text *scrubbed(core::ByteView value) {
    text *result = nullptr;
    // Twice, when there is something to remove: nothing may be allocated while C++ objects live.
    for (int round = 0; round < 2; round++) {
        size_t size = 0;
        bool changed = false;
        pg::raise(pg::run([&] {
            const core::Scrubbed made = core::scrub(view_of(value));
            changed = made.changed;
            size = made.text.size();
            if (result != nullptr) memcpy(VARDATA(result), made.text.data(), size);
        }));
        if (!changed) return nullptr;
        if (result == nullptr) result = reinterpret_cast<text *>(pg::alloc_varlena(size));
    }
    return result;
}

uint32 kinds_of(core::ByteView value, core::ScrubProfile profile) {
    uint32 kinds = 0;
    pg::raise(pg::run([&] {
        for (const core::CardFinding &finding : core::scrub(view_of(value), profile).findings)
            kinds |= 1u << static_cast<unsigned>(finding.kind);
    }));
    return kinds;
}

void check_field(const char *name, core::ByteView value) {
    if (kinds_of(value, core::ScrubProfile::user_field) == 0) return;
    ereport(ERROR, (errcode(AEGIS_ERRCODE_PAN_DETECTED),
                    errmsg("field \"%s\" holds card data", name), errhint(kRefusalHint)));
}

core::ByteView json_text(Jsonb *value) {
    StringInfoData made;
    initStringInfo(&made);
    JsonbToCString(&made, &value->root, VARSIZE(value));
    return {reinterpret_cast<const uint8_t *>(made.data), static_cast<size_t>(made.len)};
}

}  // namespace aegis::scrub

using namespace aegis;

AEGIS_FUNCTION(aegis_scrub_text) {
    text *value = PG_GETARG_TEXT_PP(0);
    core::ByteView bytes = pg::varlena_view(PointerGetDatum(value));
    if (scrub::profile_of(PG_GETARG_TEXT_PP(1)) == core::ScrubProfile::user_field) {
        scrub::check_field("value", bytes);
        PG_RETURN_TEXT_P(value);
    }
    text *made = scrub::scrubbed(bytes);
    PG_RETURN_TEXT_P(made == nullptr ? value : made);
}

AEGIS_FUNCTION(aegis_scrub_jsonb) {
    Jsonb *value = PG_GETARG_JSONB_P(0);
    core::ByteView bytes = scrub::json_text(value);
    if (scrub::profile_of(PG_GETARG_TEXT_PP(1)) == core::ScrubProfile::user_field) {
        scrub::check_field("value", bytes);
        PG_RETURN_JSONB_P(value);
    }
    text *made = scrub::scrubbed(bytes);
    if (made == nullptr) PG_RETURN_JSONB_P(value);
    PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(text_to_cstring(made))));
}

AEGIS_FUNCTION(aegis_scrub_findings_text) {
    return scrub::find_all(fcinfo, pg::varlena_view(PG_GETARG_DATUM(0)));
}

AEGIS_FUNCTION(aegis_scrub_findings_jsonb) {
    return scrub::find_all(fcinfo, scrub::json_text(PG_GETARG_JSONB_P(0)));
}

// Of text and bytea.
AEGIS_FUNCTION(aegis_is_free_of_card_data) {
    PG_RETURN_BOOL(scrub::is_free(pg::varlena_view(PG_GETARG_DATUM(0))));
}

AEGIS_FUNCTION(aegis_is_free_of_card_data_jsonb) {
    PG_RETURN_BOOL(scrub::is_free(scrub::json_text(PG_GETARG_JSONB_P(0))));
}
