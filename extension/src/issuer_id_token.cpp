// SPDX-License-Identifier: Apache-2.0
// Whom the ID token names that the token endpoint of an issuer gave for a code.
#include "core/json.hpp"
#include "issuer.hpp"

#include "ledger.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"

namespace aegis::issuer {

namespace {

bool is_refusal(const pg::Report &report) {
    return report.failed && (report.sqlstate == ERRCODE_INVALID_TEXT_REPRESENTATION ||
                             report.sqlstate == AEGIS_ERRCODE_CANNOT_OPEN ||
                             report.sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED);
}

// The ID token in the answer of a token endpoint (RFC 6749 section 5.1).
bool read_id_token(core::ByteView answer, char *out) {
    bool found = false;
    pg::Report read = pg::run([&] {
        const core::JsonDocument document(
            {reinterpret_cast<const char *>(answer.data), answer.size});
        const auto member = document.root().member("id_token");
        const auto text = member ? member->text() : std::nullopt;
        found = text && text->size() <= core::kMaxTokenBytes;
        if (found) memcpy(out, text->data(), text->size());
        if (found) out[text->size()] = '\0';
    });
    if (!is_refusal(read)) pg::raise(read);
    return !read.failed && found;
}

// nullptr: *tenant, *user and *second_factor are known.
const char *judge(const pg_uuid_t &id, const char *nonce, const char *client, core::ByteView answer,
                  pg_uuid_t *tenant, pg_uuid_t *user, bool *second_factor) {
    char *token = static_cast<char *>(palloc0(core::kMaxTokenBytes + 1));
    if (!read_id_token(answer, token)) return "malformed";
    core::TokenHead head;
    std::string_view text(token, strlen(token));
    pg::Report read = pg::run([&] { core::read_token_head(text, &head); });
    if (is_refusal(read)) return "malformed";
    pg::raise(read);
    Snapshot snapshot = own_table::latest();
    Issuer issuer{};
    const char *fault = nullptr;
    Key key;
    core::TokenClaims claims;
    if (!find(head.issuer, snapshot, &issuer) || memcmp(&issuer.id, &id, sizeof id) != 0) {
        fault = "issuer";
    } else if (!find_key(issuer, head.kid, snapshot, &key)) {
        ask_for_keys(issuer);
        fault = "key";
    } else {
        find_roles(snapshot, &issuer);
        static const std::string_view types[] = {"JWT", ""};
        const std::string_view audience(client, strlen(client));
        core::TokenRules &rules = issuer.rules;
        rules.id_token = true;
        rules.types = types;
        rules.type_count = lengthof(types);
        rules.audiences = &audience;
        rules.audience_count = 1;
        rules.party_count = 0;
        rules.nonce = {nonce, strlen(nonce)};
        rules.now = ledger::unix_micros(GetCurrentTimestamp()) / USECS_PER_SEC;
        core::TokenFault found = core::TokenFault::none;
        std::string_view jwk(key.jwk, strlen(key.jwk));
        pg::Report verified =
            pg::run([&] { found = core::verify_token(text, jwk, key.algorithm, rules, &claims); });
        if (is_refusal(verified))
            fault = "signature";
        else
            pg::raise(verified);
        if (found != core::TokenFault::none) fault = core::token_fault_word(found);
        if (fault == nullptr && !find_user(issuer, claims, snapshot, tenant, user)) fault = "user";
    }
    UnregisterSnapshot(snapshot);
    if (fault != nullptr) return fault;
    session::Session holder{};
    holder.tenant = *tenant;
    holder.user = *user;
    if (session::verify_user(&holder) != session::Verdict::valid) return "inactive";
    // A session of ours has the rank of its user, so a role that gives less gives none.
    if (claims.rank < holder.rank) return "role";
    *second_factor = claims.second_factor;
    return nullptr;
}

}  // namespace

}  // namespace aegis::issuer

using namespace aegis;

AEGIS_FUNCTION(aegis_read_id_answer) {
    pg_uuid_t tenant{}, user{};
    bool second_factor = false;
    const char *fault =
        issuer::judge(*PG_GETARG_UUID_P(0), text_to_cstring(PG_GETARG_TEXT_PP(1)),
                      text_to_cstring(PG_GETARG_TEXT_PP(2)), pg::varlena_view(PG_GETARG_DATUM(3)),
                      &tenant, &user, &second_factor);
    bool failed = fault != nullptr;
    Datum values[] = {failed ? CStringGetTextDatum(fault) : 0, UUIDPGetDatum(&tenant),
                      UUIDPGetDatum(&user), BoolGetDatum(second_factor)};
    bool nulls[] = {!failed, failed, failed, failed};
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("return type must be a row type")));
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
