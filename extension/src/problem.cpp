// SPDX-License-Identifier: Apache-2.0
#include "problem.hpp"

#include "limit.hpp"
#include "pg/function.hpp"
#include "pg/report.hpp"
#include "scrub.hpp"

namespace aegis::http {

namespace {

struct Row {
    int sqlstate;
    const Problem &problem;
    bool shows_message;
};

// Exact codes first, classes after them.
const Row kCodes[] = {
    {AEGIS_ERRCODE_NO_TENANT, kForbidden, false},
    {AEGIS_ERRCODE_KEY_MISSING, kUnavailable, false},
    {AEGIS_ERRCODE_KEY_SHREDDED, kGone, false},
    {AEGIS_ERRCODE_LEDGER_APPEND_ONLY, kForbidden, false},
    {AEGIS_ERRCODE_NOT_CHARGED, kUnavailable, false},
    {AEGIS_ERRCODE_TENANT_UNKNOWN, kForbidden, false},
    {AEGIS_ERRCODE_NOT_ALLOWED, kForbidden, false},
    {AEGIS_ERRCODE_UNSEALED, kInvalid, false},
    {AEGIS_ERRCODE_WRONG_REGION, kMisdirected, true},
    {AEGIS_ERRCODE_NOT_REVEALED, kForbidden, true},
    {AEGIS_ERRCODE_KEY_CHECK, kUnavailable, false},
    {AEGIS_ERRCODE_SIGN_IN_FAILED, kSessionInvalid, false},
    {AEGIS_ERRCODE_SEALING_LAGS, kUnavailable, false},
    {AEGIS_ERRCODE_TENANT_MOVED, kMoved, true},
    {AEGIS_ERRCODE_QUOTA_EXCEEDED, kQuotaExceeded, false},
    {AEGIS_ERRCODE_PAN_DETECTED, kPanDetected, true},
    {AEGIS_ERRCODE_STEP_UP, kStepUpRequired, false},
    {AEGIS_ERRCODE_ENTRY_CUT, kGone, true},
    {ERRCODE_NO_DATA_FOUND, kNotFound, true},
    {ERRCODE_RAISE_EXCEPTION, kInvalid, true},
    {ERRCODE_INSUFFICIENT_PRIVILEGE, kForbidden, false},
    {ERRCODE_UNIQUE_VIOLATION, kConflict, false},
    {ERRCODE_FOREIGN_KEY_VIOLATION, kConflict, false},
    {ERRCODE_EXCLUSION_VIOLATION, kConflict, false},
    {ERRCODE_T_R_SERIALIZATION_FAILURE, kRetry, false},
    {ERRCODE_T_R_DEADLOCK_DETECTED, kRetry, false},
    {ERRCODE_LOCK_NOT_AVAILABLE, kRetry, false},
    {ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, kConflict, true},
    {ERRCODE_QUERY_CANCELED, kTimeout, false},
};

const Row kClasses[] = {
    {MAKE_SQLSTATE('2', '2', '0', '0', '0'), kInvalid, true},
    {MAKE_SQLSTATE('2', '3', '0', '0', '0'), kInvalid, false},
    {MAKE_SQLSTATE('2', '8', '0', '0', '0'), kForbidden, false},
    {MAKE_SQLSTATE('5', '3', '0', '0', '0'), kUnavailable, false},
    {MAKE_SQLSTATE('5', '4', '0', '0', '0'), kInvalid, false},
    {MAKE_SQLSTATE('5', '7', '0', '0', '0'), kUnavailable, false},
    {MAKE_SQLSTATE('5', '8', '0', '0', '0'), kUnavailable, false},
};

const Row kOther = {0, kInternal, false};

const Row &row_of(int sqlstate) {
    for (const Row &row : kCodes)
        if (row.sqlstate == sqlstate) return row;
    for (const Row &row : kClasses)
        if (row.sqlstate == ERRCODE_TO_CATEGORY(sqlstate)) return row;
    return kOther;
}

// A message may repeat what the request said; an answer may be logged by whoever gets it.
void add_member(StringInfo json, const char *name, const char *value) {
    if (value == nullptr || *value == '\0') return;
    text *clean = scrub::scrubbed(pg::view_of(value));
    if (clean != nullptr) value = text_to_cstring(clean);
    appendStringInfo(json, ", \"%s\": ", name);
    escape_json(json, value);
}

}  // namespace

void add_header(Answer *answer, const char *name, const char *value) {
    if (answer->header_count == kMaxAnswerHeaders)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("an answer has too many headers")));
    answer->headers[answer->header_count++] = {name, value};
}

const char *find_header(const Answer &answer, const char *name) {
    for (int i = 0; i < answer.header_count; i++)
        if (strcmp(answer.headers[i].name, name) == 0) return answer.headers[i].value;
    return nullptr;
}

void set_json(Answer *answer, Jsonb *body) {
    if (body == nullptr) return;
    StringInfoData text;
    initStringInfo(&text);
    JsonbToCString(&text, &body->root, VARSIZE(body));
    answer->body = {reinterpret_cast<uint8_t *>(text.data), static_cast<size_t>(text.len)};
}

void set_problem(Answer *answer, const Problem &problem, const char *request_id, const char *detail,
                 const char *hint, const char *sqlstate) {
    *answer = {};
    answer->status = problem.status;
    bool tell = problem.status < 500;
    StringInfoData json;
    initStringInfo(&json);
    appendStringInfo(&json, "{\"type\": \"urn:aegis:problem:%s\", \"title\": ", problem.name);
    escape_json(&json, problem.title);
    appendStringInfo(&json, ", \"status\": %d", problem.status);
    add_member(&json, "detail", tell ? detail : nullptr);
    add_member(&json, "hint", tell ? hint : nullptr);
    add_member(&json, "code", sqlstate);
    add_member(&json, "request_id", request_id);
    appendStringInfoChar(&json, '}');
    answer->body = {reinterpret_cast<uint8_t *>(json.data), static_cast<size_t>(json.len)};
    add_header(answer, "content-type", "application/problem+json");
    // RFC 6750 for a token, RFC 9470 for what showing more would open.
    if (problem.status == 401)
        add_header(answer, "www-authenticate",
                   &problem == &kStepUpRequired || &problem == &kSecondFactorRequired
                       ? "Bearer error=\"insufficient_user_authentication\""
                   : &problem == &kTokenInvalid ? "Bearer error=\"invalid_token\""
                                                : "Bearer");
    if (problem.status == 503 || &problem == &kRetry) add_header(answer, "retry-after", "1");
}

void set_problem_of_error(Answer *answer, const ErrorData &error, const char *request_id) {
    const Row &row = row_of(error.sqlerrcode);
    set_problem(answer, row.problem, request_id, row.shows_message ? error.message : nullptr,
                row.shows_message ? error.hint : nullptr, unpack_sql_state(error.sqlerrcode));
    if (error.sqlerrcode == AEGIS_ERRCODE_QUOTA_EXCEEDED)
        add_header(answer, "retry-after", psprintf("%d", limit::last_retry_after()));
    const bool elsewhere = &row.problem == &kMoved || &row.problem == &kMisdirected;
    if (elsewhere && error.constraint_name != nullptr)
        add_header(answer, kRegionHeader, error.constraint_name);
}

}  // namespace aegis::http
