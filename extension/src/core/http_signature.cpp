// SPDX-License-Identifier: Apache-2.0
#include "core/http_signature.hpp"

#include "core/content_digest.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr std::string_view kAlgorithm = "hmac-sha256";
constexpr std::string_view kTag = "aegis";
constexpr std::string_view kOutboundTag = "aegis-outbound";
constexpr std::string_view kLabel = "aegis";

[[noreturn]] void malformed(const char *message) {
    throw Error{Code::malformed, message};
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char &c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    return out;
}

std::string_view trimmed(std::string_view text) {
    const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

// RFC 9421 section 2.2.3: the default port of the scheme is left out.
std::string authority_of(const HttpRequest &request) {
    std::string authority = lower(request.authority);
    const std::string_view port = lower(request.scheme) == "https" ? ":443" : ":80";
    if (authority.size() > port.size() &&
        authority.compare(authority.size() - port.size(), port.size(), port) == 0)
        authority.resize(authority.size() - port.size());
    return authority;
}

// All values of a field, as one; nothing when the request has none of the name.
bool field_of(const HttpRequest &request, std::string_view name, std::string *out) {
    bool found = false;
    for (size_t i = 0; i < request.field_count; ++i) {
        if (request.fields[i].name != name) continue;
        if (found) *out += ", ";
        *out += trimmed(request.fields[i].value);
        found = true;
    }
    return found;
}

std::string derived(const HttpRequest &request, std::string_view name) {
    const size_t question = request.target.find('?');
    const std::string path(request.target.substr(0, question));
    if (name == "@method") return std::string(request.method);
    if (name == "@scheme") return lower(request.scheme);
    if (name == "@authority") return authority_of(request);
    if (name == "@request-target") return std::string(request.target);
    if (name == "@target-uri")
        return lower(request.scheme) + "://" + authority_of(request) + std::string(request.target);
    if (name == "@path") return path.empty() ? "/" : path;
    if (name == "@query")
        return question == std::string_view::npos ? "?"
                                                  : std::string(request.target.substr(question));
    malformed("a signature covers an unknown component");
}

std::string value_of(const HttpRequest &request, const std::string &name) {
    std::string value;
    if (!name.empty() && name[0] == '@')
        value = derived(request, name);
    else if (!field_of(request, name, &value))
        malformed("a signature covers a field that is missing");
    for (char c : value)
        if ((c < 0x20 && c != '\t') || c > 0x7e)
            malformed("a covered value is not printable ASCII");
    return value;
}

bool covers(const InnerList &covered, std::string_view name) {
    for (const FieldItem &item : covered.items)
        if (item.value.text == name) return true;
    return false;
}

bool is_nonce_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~+/=").find(c) != std::string_view::npos;
}
bool is_key_id_character(char c) {
    return is_nonce_character(c) && std::string_view("~+/=").find(c) == std::string_view::npos;
}

bool is_nonce(std::string_view text) {
    if (text.size() < kMinNonceBytes || text.size() > kMaxNonceBytes) return false;
    for (char c : text)
        if (!is_nonce_character(c)) return false;
    return true;
}

bool is_key_id(std::string_view text) {
    if (text.empty() || text.size() > kMaxKeyIdBytes) return false;
    for (char c : text)
        if (!is_key_id_character(c)) return false;
    return true;
}

const std::string *text_parameter(const Parameters &parameters, std::string_view key) {
    const BareItem *item = find_parameter(parameters, key);
    if (item == nullptr) return nullptr;
    if (item->type != FieldType::string) malformed("a parameter of a signature is no string");
    return &item->text;
}

int64_t time_parameter(const Parameters &parameters, std::string_view key) {
    const BareItem *item = find_parameter(parameters, key);
    if (item == nullptr) return 0;
    if (item->type != FieldType::integer || item->number <= 0)
        malformed("a time of a signature is no time");
    return item->number;
}

// The profile allows no other: whoever signs with one means something that nobody here would check.
void refuse_other_parameters(const Parameters &parameters) {
    for (const auto &[key, value] : parameters)
        if (key != "created" && key != "expires" && key != "nonce" && key != "keyid" &&
            key != "alg" && key != "tag")
            malformed("a signature has an unknown parameter");
}

void require_cover(const HttpRequest &request, const InnerList &covered) {
    const bool target =
        covers(covered, "@target-uri") ||
        (covers(covered, "@authority") && covers(covered, "@path") && covers(covered, "@query"));
    if (!covers(covered, "@method") || !target)
        malformed("a signature does not cover method and target");
    std::string digest;
    const bool has_digest = field_of(request, "content-digest", &digest);
    if (request.content.size > 0 && !has_digest) malformed("a body has no digest");
    if (!has_digest) return;
    if (!covers(covered, "content-digest")) malformed("a digest is not signed");
    check_content_digest(digest, request.content);
}

struct Signature {
    InnerList covered;
    std::string value;
};

Signature only_signature(const HttpRequest &request) {
    std::string input, value;
    if (!field_of(request, "signature-input", &input) || !field_of(request, "signature", &value))
        malformed("a request is not signed");
    std::vector<FieldMember> inputs = parse_dictionary(input), values = parse_dictionary(value);
    if (inputs.size() != 1 || values.size() != 1 || inputs[0].key != values[0].key)
        malformed("a request does not have exactly one signature");
    if (!inputs[0].is_list || values[0].is_list || !values[0].item.parameters.empty() ||
        values[0].item.value.type != FieldType::bytes ||
        values[0].item.value.text.size() != kDigestBytes)
        malformed("a signature has another form");
    return {std::move(inputs[0].list), std::move(values[0].item.value.text)};
}

void check_profile(const HttpRequest &request, const InnerList &covered, ServiceSignature *out) {
    const Parameters &parameters = covered.parameters;
    refuse_other_parameters(parameters);
    const std::string *algorithm = text_parameter(parameters, "alg");
    const std::string *tag = text_parameter(parameters, "tag");
    if ((algorithm != nullptr && *algorithm != kAlgorithm) || (tag != nullptr && *tag != kTag))
        malformed("a signature is for another use");
    const std::string *key_id = text_parameter(parameters, "keyid");
    const std::string *nonce = text_parameter(parameters, "nonce");
    if (key_id == nullptr || !is_key_id(*key_id)) malformed("a signature names no key");
    if (nonce == nullptr || !is_nonce(*nonce)) malformed("a signature has no nonce");
    out->created = time_parameter(parameters, "created");
    out->expires = time_parameter(parameters, "expires");
    if (out->created == 0) malformed("a signature has no time");
    memcpy(out->key_id, key_id->c_str(), key_id->size() + 1);
    memcpy(out->nonce, nonce->c_str(), nonce->size() + 1);
    require_cover(request, covered);
}

void add_component(InnerList *covered, const char *name) {
    FieldItem item;
    item.value.type = FieldType::string;
    item.value.text = name;
    covered->items.push_back(std::move(item));
}

void add_parameter(InnerList *covered, const char *key, FieldType type, int64_t number,
                   std::string_view text) {
    BareItem item;
    item.type = type;
    item.number = number;
    item.text = text;
    covered->parameters.emplace_back(key, std::move(item));
}

}  // namespace

std::string signature_base(const HttpRequest &request, const InnerList &covered) {
    std::string base;
    for (size_t i = 0; i < covered.items.size(); ++i) {
        const FieldItem &item = covered.items[i];
        if (item.value.type != FieldType::string || !item.parameters.empty())
            malformed("a component of a signature has another form");
        for (size_t j = 0; j < i; ++j)
            if (covered.items[j].value.text == item.value.text)
                malformed("a signature covers a component twice");
        base += "\"" + item.value.text + "\": " + value_of(request, item.value.text) + "\n";
    }
    return base + "\"@signature-params\": " + format_inner_list(covered);
}

void read_service_signature(const HttpRequest &request, ServiceSignature *out) {
    check_profile(request, only_signature(request).covered, out);
}

void verify_service_signature(const HttpRequest &request, ByteView secret) {
    const Signature signature = only_signature(request);
    ServiceSignature read;
    check_profile(request, signature.covered, &read);
    const Digest digest = hmac_sha256(secret, as_bytes(signature_base(request, signature.covered)));
    if (!equal_constant_time(digest.view(), as_bytes(signature.value)))
        throw Error{Code::cannot_open, "a signature does not verify"};
}

SignedFields sign_outbound_request(const HttpRequest &request, std::string_view key_id,
                                   ByteView secret, int64_t created, std::string_view nonce,
                                   std::string_view caller) {
    if (!is_key_id(key_id) || !is_nonce(nonce) || created <= 0 ||
        secret.size < kMinServiceSecretBytes)
        throw Error{Code::invalid_argument, "a request cannot be signed with these"};
    SignedFields out;
    HttpRequest bare = request;
    HttpField fields[2];
    InnerList covered;
    add_component(&covered, "@method");
    add_component(&covered, "@target-uri");
    bare.fields = fields;
    bare.field_count = 0;
    if (!caller.empty()) {
        fields[bare.field_count++] = {"aegis-caller", caller};
        add_component(&covered, "aegis-caller");
    }
    if (request.content.size > 0) {
        out.content_digest = format_content_digest(request.content);
        fields[bare.field_count++] = {"content-digest", out.content_digest};
        add_component(&covered, "content-digest");
    }
    add_parameter(&covered, "created", FieldType::integer, created, {});
    add_parameter(&covered, "nonce", FieldType::string, 0, nonce);
    add_parameter(&covered, "keyid", FieldType::string, 0, key_id);
    add_parameter(&covered, "alg", FieldType::string, 0, kAlgorithm);
    add_parameter(&covered, "tag", FieldType::string, 0, kOutboundTag);
    const Digest mac = hmac_sha256(secret, as_bytes(signature_base(bare, covered)));
    out.signature_input = std::string(kLabel) + "=" + format_inner_list(covered);
    out.signature = std::string(kLabel) + "=" + format_byte_sequence(mac.view());
    return out;
}

}  // namespace aegis::core
