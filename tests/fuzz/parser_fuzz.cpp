// SPDX-License-Identifier: Apache-2.0
// Every parser that reads stored or foreign bytes: the first byte chooses one. Each must read or
// refuse, and what it reads must be written back as the same bytes.
#include <cstdlib>
#include <string>
#include <vector>

#include "core/add_checkpoint.hpp"
#include "core/brought_key.hpp"
#include "core/bundle_check.hpp"
#include "core/checkpoint.hpp"
#include "core/encoding.hpp"
#include "core/entry.hpp"
#include "core/envelope.hpp"
#include "core/error.hpp"
#include "core/field_key.hpp"
#include "core/http_signature.hpp"
#include "core/json.hpp"
#include "core/jwt.hpp"
#include "core/keyring.hpp"
#include "core/mask.hpp"
#include "core/normalise.hpp"
#include "core/note.hpp"
#include "core/receipt.hpp"
#include "core/seal.hpp"
#include "core/session_token.hpp"
#include "core/tenant_bundle.hpp"
#include "core/webhook_signature.hpp"
#include "credential.hpp"
#include "head.hpp"

using namespace aegis::core;

namespace {

void require(bool holds) {
    if (!holds) abort();
}

bool same(ByteView a, ByteView b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

std::string_view as_chars(ByteView bytes) {
    return {reinterpret_cast<const char *>(bytes.data), bytes.size};
}

ByteSpan span(std::vector<uint8_t> &bytes) {
    return {bytes.data(), bytes.size()};
}

void envelope(ByteView in) {
    std::vector<uint8_t> out(in.size);
    require(!is_unsealed(in) || unsealed_plaintext_size(in) < in.size);
    const EnvelopeParts parts = parse_envelope(in);
    require(envelope_size(parts.header, envelope_plaintext_size(parts)) == in.size);
    out.resize(strip_token(in, span(out)));
    require(parse_envelope(span(out)).token.size == 0);
}

void cbor(ByteView in) {
    CborReader reader(in);
    while (!reader.done()) reader.skip();
}

void entry(ByteView in) {
    const EntryFields fields = decode_entry(in);
    std::vector<uint8_t> out(in.size);
    require(encode_entry(fields, span(out)) == in.size && same(span(out), in));
}

void seal(ByteView in) {
    const SealFields fields = decode_seal(in);
    std::vector<uint8_t> out(in.size);
    require(encode_seal(fields, span(out)) == in.size && same(span(out), in));
}

void bundle_record(ByteView in) {
    const BundleRecord record = decode_bundle_record(in);
    std::vector<uint8_t> out(in.size);
    require(encode_bundle_record(record, span(out)) == in.size && same(span(out), in));
}

// Lines of a bundle: read or refused; what is sound ends.
void bundle(std::string_view in) {
    BundleCheck check([](const std::string &, const std::string &) {});
    for (size_t end; (end = in.find('\n')) != std::string_view::npos; in.remove_prefix(end + 1))
        check.line(in.substr(0, end));
    check.line(in);
    check.finish();
}

void note(std::string_view in) {
    const Note read = parse_note(in);
    require(format_checkpoint(parse_checkpoint(read.text)) == read.text);
}

void proof_file(std::string_view in) {
    const ProofFile file = parse_proof_file(in);
    const std::string again = format_proof_file(file.index, file.proof, file.checkpoint);
    require(parse_proof_file(again).checkpoint == file.checkpoint);
}

void receipt(std::string_view in) {
    const Receipt read = parse_receipt(in);
    require(format_receipt(read) == in);
    verify_receipt(read, parse_checkpoint(parse_note(read.note).text));
}

void frontier(ByteView in) {
    const Frontier read = decode_frontier(in);
    std::vector<uint8_t> out(frontier_size(read));
    encode_frontier(read, span(out));
    require(same(span(out), in));
}

void armor(std::string_view in) {
    std::vector<uint8_t> out(armor_decoded_size(in));
    from_armor(in, span(out));
    std::string text(armor_size(out.size()), '?');
    to_armor(span(out), text.data());
    require(text == in);
}

void keyring(std::string_view in) {
    Keyring ring;
    parse_keyring(in, &ring);
    require(ring.count >= 1 && ring.count <= kMaxMasterVersions);
    for (int i = 1; i < ring.count; ++i) require(ring.keys[i - 1].version < ring.keys[i].version);
}

void text(std::string_view in) {
    std::vector<uint8_t> out(mask_capacity(in.size()));
    for (Mask how : {Mask::none, Mask::full, Mask::email, Mask::last4, Mask::domain, Mask::phone,
                     Mask::initial, Mask::initials, Mask::year, Mask::card})
        require(mask(how, as_bytes(in), span(out)) <= out.size());
    for (Normaliser how : {Normaliser::email, Normaliser::keyword, Normaliser::caseless,
                           Normaliser::phone, Normaliser::alnum}) {
        out.resize(normalised_capacity(how, in.size()));
        try {
            out.resize(normalise(how, as_bytes(in), span(out)));
        } catch (const Error &) {
            continue;
        }
        std::vector<uint8_t> again(normalised_capacity(how, out.size()));
        again.resize(normalise(how, span(out), span(again)));
        require(same(span(again), span(out)));
    }
}

void session_token(ByteView in) {
    require(!is_session_token(as_chars(in)) || in.size <= kMaxSessionTokenBytes);
}

void note_key(ByteView in) {
    require(format_note_key(parse_note_key(as_chars(in))) == as_chars(in));
}

void wrapped_keyring(ByteView in) {
    WrappedKeyring ring;
    parse_wrapped_keyring(as_chars(in), &ring);
    require(ring.count >= 1 && ring.count <= kMaxMasterVersions);
}

void brought_key(ByteView in) {
    BroughtKey key;
    parse_brought_key(as_chars(in), &key);
    require(format_brought_key(key) == as_chars(in));
}

// Sealed for somebody else: whatever it is, it is refused.
void field_key(ByteView in) {
    static const uint8_t private_key[kHpkeKeyBytes] = {1};
    FieldKey key;
    open_field_key(as_chars(in), Key32(ByteView(private_key)), &key);
    abort();
}

void add_checkpoint(ByteView in) {
    require(format_add_checkpoint(parse_add_checkpoint(as_chars(in))) == as_chars(in));
}

void tenant_record(ByteView in) {
    const TenantRecord record = decode_tenant_record(in);
    std::vector<uint8_t> out(in.size);
    require(encode_tenant_record(record, span(out)) == in.size && same(span(out), in));
}

void dictionary(std::string_view in) {
    for (const FieldMember &member : parse_dictionary(in)) {
        if (!member.is_list) continue;
        const std::string once = format_inner_list(member.list);
        const std::vector<FieldMember> again = parse_dictionary("x=" + once);
        require(again.size() == 1 && format_inner_list(again[0].list) == once);
    }
}

// A line for each of the three fields; what is read must be within its bounds.
void signed_request(std::string_view in) {
    HttpField fields[] = {{"signature-input", {}}, {"signature", {}}, {"content-digest", {}}};
    size_t count = 0;
    for (HttpField &field : fields) {
        const size_t end = in.find('\n');
        field.value = in.substr(0, end);
        ++count;
        if (end == std::string_view::npos) break;
        in.remove_prefix(end + 1);
    }
    ServiceSignature read;
    read_service_signature({"GET", "https", "example.com", "/", fields, count, {}}, &read);
    require(read.created > 0 && strlen(read.nonce) >= kMinNonceBytes && *read.key_id != '\0');
}

// Headers of a webhook, a line each, for every scheme with a published secret; what is not signed
// with it must never count as signed.
void webhook(std::string_view in) {
    static const struct {
        const char *scheme, *secret;
    } kinds[] = {
        {"stripe", "whsec_test_secret"},
        {"authorize_net",
         "00000000000000000000000000000000000000000000000000000000000000000000000000"
         "000000000000000000000000000000000000000000000000000000"},
        {"adyen", "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"},
        {"adyen_header", "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"},
        {"standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}};
    static const char *const names[] = {"stripe-signature", "x-anet-signature",
                                        "hmacsignature",    "webhook-signature",
                                        "webhook-id",       "webhook-timestamp"};
    const std::string_view whole = in;
    std::vector<HttpField> fields;
    for (const char *name : names) {
        const size_t end = in.find('\n');
        fields.push_back({name, in.substr(0, end)});
        if (end == std::string_view::npos) break;
        in.remove_prefix(end + 1);
    }
    AdyenItem item;
    for (std::string_view &field : item.fields) field = whole.substr(0, whole.size() / 2);
    item.signature = whole.substr(whole.size() / 2);
    const WebhookRequest request = {fields.data(), fields.size(), as_bytes("{}"), &item};
    for (const auto &kind : kinds)
        require(verify_webhook(webhook_scheme(kind.scheme), kind.secret, request, 1766500000,
                               300) != WebhookVerdict::valid);
    try {
        check_webhook_secret(WebhookScheme::standard, whole);
    } catch (const Error &) {
        return;
    }
    require(whole.size() >= 32);
}

// What every reader of a document must be able to rely on.
void walk(const JsonValue &value, int nesting) {
    require(nesting <= kMaxJsonNesting);
    if (const auto text = value.text()) require(is_text(as_bytes(*text)));
    require(!value.whole() || !value.text());
    for (size_t i = 0; i < value.size(); ++i) walk(value.item(i), nesting + 1);
}

void json(std::string_view in) {
    walk(JsonDocument(in).root(), 1);
}

// A key that is read is written in one way, which reads as the same.
void jwks(std::string_view in) {
    for (const PublicJwk &key : parse_jwks(in)) {
        require(is_kid(key.kid));
        require(parse_jwk(key.canonical).canonical == key.canonical);
    }
}

void jwk(std::string_view in) {
    const PublicJwk key = parse_jwk(in);
    require(parse_jwk(key.canonical).canonical == key.canonical);
}

// The key of RFC 8037 signed none of these.
void token(std::string_view in) {
    static constexpr std::string_view kKey =
        R"({"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})";
    TokenHead head;
    read_token_head(in, &head);
    require(looks_like_jwt(in) && is_kid(head.kid) && *head.issuer != '\0');
    TokenRules rules;
    rules.issuer = head.issuer;
    TokenClaims claims;
    verify_token(in, kKey, JwsAlgorithm::eddsa, rules, &claims);
    abort();
}

// The head of a request, and the credential in it. One that is read is not refused before its last
// byte came, and says the same when it is written down as it was understood.
void request_head(std::string_view in) {
    namespace server = aegis::server;
    const server::HeadLimits limits;
    const auto read = [&](std::string_view bytes, server::Head *head, size_t *consumed) {
        server::Refusal refusal;
        return server::parse_head(bytes, limits, head, consumed, &refusal);
    };
    server::Head head;
    size_t consumed = 0;
    if (read(in, &head, &consumed) != server::HeadState::complete) return;
    require(consumed <= in.size() && consumed <= limits.bytes);
    require(head.path.front() == '/' && head.path.size() <= limits.path_bytes);
    require(head.fields.size() <= limits.fields);
    std::string written = head.method + " " + head.target() + " HTTP/1.1\r\n";
    for (const auto &[name, value] : head.fields) {
        for (const char c : value) require(c == '\t' || (c >= ' ' && c <= '~'));
        written += name + ": " + value + "\r\n";
    }
    written += "\r\n";
    server::Head again, part;
    size_t length = 0;
    for (size_t at = 0; at < consumed; at += 1 + consumed / 64)
        require(read(in.substr(0, at), &part, &length) == server::HeadState::incomplete);
    require(read(written, &again, &length) == server::HeadState::complete);
    require(length == written.size() && again.fields == head.fields && again.host == head.host &&
            again.content_length == head.content_length && again.close == head.close);
    const server::Credential credential = server::credential_of(head);
    require(credential == server::credential_of(again));
    if (credential == server::Credential::session || credential == server::Credential::token)
        require(!server::principal_of(head).empty());
    (void)server::counted_principal(head, "198.51.100.7");
    (void)server::shown_token_of(head);
}

template <void parse(std::string_view)>
void chars(ByteView in) {
    parse(as_chars(in));
}

constexpr void (*parsers[])(ByteView) = {envelope,
                                         cbor,
                                         entry,
                                         seal,
                                         frontier,
                                         chars<armor>,
                                         chars<keyring>,
                                         chars<text>,
                                         bundle_record,
                                         chars<bundle>,
                                         chars<note>,
                                         chars<proof_file>,
                                         chars<receipt>,
                                         note_key,
                                         session_token,
                                         wrapped_keyring,
                                         brought_key,
                                         field_key,
                                         add_checkpoint,
                                         tenant_record,
                                         chars<dictionary>,
                                         chars<signed_request>,
                                         chars<webhook>,
                                         chars<json>,
                                         chars<jwks>,
                                         chars<jwk>,
                                         chars<token>,
                                         chars<request_head>};

}  // namespace

extern "C" const unsigned kParsers = sizeof parsers / sizeof *parsers;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    try {
        parsers[data[0] % kParsers](ByteView(data + 1, size - 1));
    } catch (const Error &) {  // refused, as it should be
    }
    return 0;
}
