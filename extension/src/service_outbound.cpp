// SPDX-License-Identifier: Apache-2.0
// Requests that leave for a service, signed with the secret that it shares with the database.
#include "core/encoding.hpp"
#include "core/http_signature.hpp"
#include "core/random.hpp"
#include "service.hpp"

#include "charge.hpp"
#include "http_target.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"

namespace aegis::service {

namespace {

constexpr size_t kMaxUrlBytes = 2048;
constexpr size_t kNonceBytes = 18;

pg::Statement find_newest = {
    "SELECT k.key_id, k.secret, s.tenant_id FROM aegis.service s JOIN aegis.service_secret k"
    "    ON k.service_id OPERATOR(pg_catalog.=) s.id"
    " WHERE s.name OPERATOR(pg_catalog.=) $1 AND s.retired_at IS NULL AND k.retired_at IS NULL"
    " ORDER BY k.created_at DESC, k.key_id DESC LIMIT 1",
    1,
    {TEXTOID},
    nullptr};

[[noreturn]] void refuse_url() {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("cannot sign a request to this URL"),
             errhint("Give it as it will be sent, with http or https, host, path and query, "
                     "in printable ASCII without a fragment, at most %zu bytes.",
                     kMaxUrlBytes)));
    pg_unreachable();
}

bool is_method(const char *method) {
    size_t length = strlen(method);
    return length >= 1 && length <= 16 && strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == length;
}

}  // namespace

// Views into the URL.
void split_url(const char *url, core::HttpRequest *request) {
    std::string_view rest = url;
    size_t scheme = rest.find("://");
    if (rest.size() > kMaxUrlBytes || scheme == std::string_view::npos) refuse_url();
    request->scheme = rest.substr(0, scheme);
    if (request->scheme != "http" && request->scheme != "https") refuse_url();
    for (char c : rest)
        if (c <= 0x20 || c > 0x7e || c == '#' || c == '"' || c == '\\') refuse_url();
    rest.remove_prefix(scheme + 3);
    size_t slash = rest.find('/');
    // User information would be sent in another field, or not at all.
    if (slash == 0 || slash == std::string_view::npos ||
        rest.substr(0, slash).find_first_of("@?") != std::string_view::npos)
        refuse_url();
    request->authority = rest.substr(0, slash);
    request->target = rest.substr(slash);
}

namespace {

Jsonb *to_jsonb(const Outbound &fields) {
    http::Pair pairs[3];
    int count = 0;
    if (fields.digest[0] != '\0') pairs[count++] = {"content-digest", fields.digest};
    pairs[count++] = {"signature-input", fields.input};
    pairs[count++] = {"signature", fields.signature};
    return http::to_jsonb(pairs, count);
}

}  // namespace

void sign(const char *name, const core::HttpRequest &request, const char *caller, Outbound *out) {
    pg::Identity before = pg::enter();
    Datum values[] = {CStringGetTextDatum(name)};
    if (pg::execute(find_newest, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
                        errmsg("service \"%s\" has no secret in use", name),
                        errhint("aegis.services lists the services and their keys.")));
    bool is_null;
    const char *key_id = TextDatumGetCString(pg::column(0, 1, &is_null));
    core::ByteView sealed = pg::varlena_view(pg::column(0, 2, &is_null));
    Datum tenant_value = pg::column(0, 3, &is_null);
    bool has_tenant = !is_null;
    pg_uuid_t tenant{};
    if (has_tenant) tenant = *DatumGetUUIDP(tenant_value);

    // The query may hold what is personal; where the request went is enough.
    const char *host = pnstrdup(request.authority.data(), request.authority.size());
    const char *method = pnstrdup(request.method.data(), request.method.size());
    // A signature that somebody has seen is of use also when the transaction rolls back.
    charge::Order order{};
    order.kind = charge::Kind::signature;
    order.event = "service.request_signed";
    order.tenant = tenant;
    order.target = name;
    order.detail = psprintf("key %s, %s %s", key_id, method, host);
    int slot = charge::open(order);

    int64_t created = ledger::unix_micros(GetCurrentTimestamp()) / USECS_PER_SEC;
    uint8_t secret[kSecretBytes];
    open_secret(key_id, sealed, secret);
    std::string_view told =
        caller != nullptr ? std::string_view(caller, strlen(caller)) : std::string_view();
    pg::Report report = pg::run([&] {
        uint8_t random[kNonceBytes];
        core::random_secret(random);
        std::string nonce(core::base64url_size(sizeof random), '\0');
        core::to_base64url(random, nonce.data());
        const core::SignedFields made = core::sign_outbound_request(
            request, key_id, core::ByteView(secret), created, nonce, told);
        strlcpy(out->digest, made.content_digest.c_str(), sizeof out->digest);
        strlcpy(out->input, made.signature_input.c_str(), sizeof out->input);
        strlcpy(out->signature, made.signature.c_str(), sizeof out->signature);
    });
    core::wipe(secret);
    pg::raise(report);

    const ledger::DetailPair pairs[] = {
        {"key", key_id, 0}, {"host", host, 0}, {"method", method, 0}};
    size_t room = 128 + strlen(key_id) + strlen(host) + strlen(method);
    ledger::Event entry{};
    entry.type = "service.request_signed";
    if (has_tenant) entry.tenant = &tenant;
    entry.target_kind = "service";
    entry.target_id = name;
    entry.detail =
        ledger::encode_detail(pairs, lengthof(pairs), {static_cast<uint8_t *>(palloc(room)), room});
    ledger::append(entry);
    charge::settle(slot);
    pg::leave(before);
}

}  // namespace aegis::service

using namespace aegis;

AEGIS_FUNCTION(aegis_sign_request) {
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("service, method and url must not be null")));
    const char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
    const char *method = text_to_cstring(PG_GETARG_TEXT_PP(1));
    if (!service::is_method(method))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("method must be 1 to 16 capital letters")));
    core::HttpRequest request{};
    request.method = method;
    service::split_url(text_to_cstring(PG_GETARG_TEXT_PP(2)), &request);
    if (!PG_ARGISNULL(3)) request.content = pg::varlena_view(PG_GETARG_DATUM(3));

    auto *fields = static_cast<service::Outbound *>(palloc0(sizeof(service::Outbound)));
    service::sign(name, request, nullptr, fields);
    PG_RETURN_JSONB_P(service::to_jsonb(*fields));
}
