// SPDX-License-Identifier: Apache-2.0
// The frozen vectors of tests/vectors, which an independent implementation wrote.
#include <rapidjson/document.h>

#include <fstream>
#include <map>
#include <sstream>

#include "bytes_of.hpp"
#include "core/encoding.hpp"
#include "core/entry.hpp"
#include "core/envelope.hpp"
#include "core/http_signature.hpp"
#include "core/kdf.hpp"
#include "core/keyring.hpp"
#include "core/normalise.hpp"
#include "core/recovery_code.hpp"
#include "core/seal.hpp"
#include "core/session_token.hpp"
#include "core/subject.hpp"

using namespace aegis::core;
using namespace aegis::test;
using rapidjson::Value;

namespace {

rapidjson::Document load(const char *name) {
    std::ifstream file(std::string(AEGIS_VECTORS "/") + name + ".json");
    std::stringstream text;
    text << file.rdbuf();
    rapidjson::Document document;
    // Full precision is not needed, but the largest 64-bit numbers are.
    document.Parse(text.str().c_str());
    EXPECT_FALSE(document.HasParseError()) << name;
    return document;
}

std::string str(const Value &object, const char *member) {
    return object[member].GetString();
}
Bytes hex(const Value &object, const char *member) {
    return from_hex(object[member].GetString());
}
uint32_t u32(const Value &object, const char *member) {
    return object[member].GetUint();
}

KeyInfo key_info(const Value &v, const Bytes &tenant) {
    return {static_cast<Purpose>(u32(v, "purpose")), view(tenant), u32(v, "epoch"),
            u32(v, "reference")};
}

MasterKey master_of(const Value &v) {
    MasterKey master{u32(v, "version"), {}};
    memcpy(master.key, hex(v, "master").data(), kKeyBytes);
    return master;
}

Normaliser normaliser(const std::string &word) {
    static const std::map<std::string, Normaliser> words = {
        {"email", Normaliser::email},     {"exact", Normaliser::exact},
        {"keyword", Normaliser::keyword}, {"caseless", Normaliser::caseless},
        {"phone", Normaliser::phone},     {"alnum", Normaliser::alnum}};
    return words.at(word);
}

}  // namespace

TEST(Vectors, KeysV1) {
    const rapidjson::Document all = load("keys_v1");
    for (const Value &v : all["key_info"].GetArray()) {
        uint8_t out[kMaxKeyInfoBytes];
        const Bytes tenant = hex(v, "tenant");
        EXPECT_EQ(to_hex({out, encode_key_info(key_info(v, tenant), out)}), str(v, "encoded"));
    }
    for (const Value &v : all["derived_key"].GetArray()) {
        Key32 out;
        const Bytes tenant = hex(v, "tenant"), salt = hex(v, "salt");
        derive_key(Key32(view(hex(v, "input_key"))), view(salt), key_info(v, tenant), out);
        EXPECT_EQ(to_hex(out.view()), str(v, "key"));
    }
    for (const Value &v : all["check_value"].GetArray()) {
        uint8_t out[kCheckValueBytes];
        master_check_value(master_of(v), out);
        EXPECT_EQ(to_hex(out), str(v, "check_value"));
    }
    for (const Value &v : all["wrapped_root"].GetArray()) {
        const Bytes salt = hex(v, "salt"), tenant = hex(v, "tenant"), nonce = hex(v, "nonce"),
                    root = hex(v, "root");
        uint8_t wrapped[kWrappedRootBytes], out[kKeyBytes];
        wrap_root_with_nonce(master_of(v), view(salt), view(tenant), u32(v, "epoch"), view(nonce),
                             view(root), wrapped);
        EXPECT_EQ(to_hex(wrapped), str(v, "wrapped"));
        unwrap_root(master_of(v), view(salt), view(tenant), u32(v, "epoch"), wrapped, out);
        EXPECT_EQ(to_hex(out), str(v, "root"));
    }
    for (const Value &v : all["wrapped_committing_root"].GetArray()) {
        const Bytes salt = hex(v, "salt"), tenant = hex(v, "tenant"), nonce = hex(v, "nonce"),
                    root = hex(v, "root");
        const Suite suite = static_cast<Suite>(u32(v, "suite"));
        uint8_t wrapped[kWrappedRootBytes], out[kKeyBytes], check[kCheckValueBytes];
        wrap_root_with_nonce(master_of(v), view(salt), view(tenant), u32(v, "epoch"), view(nonce),
                             view(root), wrapped, suite);
        EXPECT_EQ(to_hex(wrapped), str(v, "wrapped"));
        unwrap_root(master_of(v), view(salt), view(tenant), u32(v, "epoch"), wrapped, out, suite);
        EXPECT_EQ(to_hex(out), str(v, "root"));
        expect_error(Code::cannot_open, [&] {
            unwrap_root(master_of(v), view(salt), view(tenant), u32(v, "epoch"), wrapped, out);
        });
        root_check_value(Key32(view(root)), view(tenant), check);
        EXPECT_EQ(to_hex(check), str(v, "check_value"));
    }
    for (const Value &v : all["field_reference"].GetArray()) {
        const std::string name = str(v, "name");
        EXPECT_EQ(get_u32(sha256(as_bytes("aegis/field/1"), as_bytes(name)).bytes),
                  u32(v, "reference"));
    }
    for (const Value &v : all["type_reference"].GetArray()) {
        const std::string name = str(v, "name");
        EXPECT_EQ(get_u32(sha256(as_bytes("aegis/type/1"), as_bytes(name)).bytes),
                  u32(v, "reference"));
    }
    for (const Value &v : all["subject"].GetArray()) {
        const std::string kind = str(v, "kind");
        uint8_t integer[8], out[kMaxSubjectBytes];
        Bytes value;
        if (kind == "integer") {
            put_u64(integer, static_cast<uint64_t>(v["value"].GetInt64()));
            value = bytes_of(ByteView(integer));
        } else {
            value = kind == "uuid" ? hex(v, "value") : bytes_of(str(v, "value"));
        }
        const SubjectKind of = kind == "uuid"      ? SubjectKind::uuid
                               : kind == "integer" ? SubjectKind::integer
                                                   : SubjectKind::text;
        EXPECT_EQ(to_hex({out, encode_subject(of, view(value), out)}), str(v, "encoded"));
    }
    for (const Value &v : all["subject_name"].GetArray()) {
        Key32 key;
        const Bytes tenant = hex(v, "tenant");
        derive_key(Key32(view(hex(v, "root"))), {},
                   {Purpose::subject_name, view(tenant), kSubjectNameEpoch, 0}, key);
        uint8_t out[kSubjectNameBytes];
        subject_name(HmacKey(key.view()), view(hex(v, "subject")), out);
        EXPECT_EQ(to_hex(out), str(v, "name"));
    }
    for (const Value &v : all["wrapped_subject"].GetArray()) {
        Key32 key;
        const Bytes tenant = hex(v, "tenant"), name = hex(v, "name"), nonce = hex(v, "nonce"),
                    root = hex(v, "subject_root");
        derive_key(Key32(view(hex(v, "root"))), {},
                   {Purpose::subject, view(tenant), u32(v, "epoch"), 0}, key);
        EXPECT_EQ(to_hex(key.view()), str(v, "kek"));
        const Xaes kek(key);
        uint8_t wrapped[kWrappedRootBytes], out[kKeyBytes];
        wrap_subject_with_nonce(kek, view(name), u32(v, "generation"), view(nonce), view(root),
                                wrapped);
        EXPECT_EQ(to_hex(wrapped), str(v, "wrapped"));
        unwrap_subject(kek, view(name), u32(v, "generation"), wrapped, out);
        EXPECT_EQ(to_hex(out), str(v, "subject_root"));
    }
    for (const Value &v : all["subject_field_key"].GetArray()) {
        Key32 key;
        derive_subject_field_key(view(hex(v, "root")), view(hex(v, "subject_root")),
                                 view(hex(v, "tenant")), u32(v, "epoch"), u32(v, "field"), key);
        EXPECT_EQ(to_hex(key.view()), str(v, "key"));
    }
    for (const Value &v : all["look_up_value"].GetArray()) {
        const Bytes key = hex(v, "login_key"), normalised = hex(v, "normalised");
        EXPECT_EQ(to_hex(hmac_sha256(view(key), view(normalised)).view()), str(v, "value"));
    }
    for (const Value &v : all["tenant_tag"].GetArray()) {
        uint8_t out[kTenantTagBytes];
        tenant_tag(view(hex(v, "tenant")), out);
        EXPECT_EQ(to_hex(out), str(v, "tag"));
    }
    for (const Value &v : all["search_token"].GetArray()) {
        const Bytes value = hex(v, "value");
        const Normaliser how = normaliser(str(v, "normaliser"));
        Bytes normal(normalised_capacity(how, value.size()));
        normal.resize(normalise(how, view(value), span(normal)));
        EXPECT_EQ(to_hex(view(normal)), str(v, "normalised"));
        uint8_t token[kTokenBytes];
        search_token(HmacKey(view(hex(v, "index_key"))), view(normal), token);
        EXPECT_EQ(to_hex(token), str(v, "token"));
    }
    for (const Value &v : all["not_normalised"].GetArray()) {
        const Bytes value = hex(v, "value");
        const Normaliser how = normaliser(str(v, "normaliser"));
        Bytes normal(normalised_capacity(how, value.size()));
        expect_error(Code::malformed, [&] { normalise(how, view(value), span(normal)); });
    }
    EXPECT_GE(all["derived_key"].Size(), 8u);
}

// Both files of envelope-v1: the suite of the second is in its header.
class EnvelopeVectors : public testing::TestWithParam<const char *> {};
INSTANTIATE_TEST_SUITE_P(Suites, EnvelopeVectors,
                         testing::Values("envelope_v1", "envelope_v1_committing"));

TEST_P(EnvelopeVectors, AreMadeAndReadTheSame) {
    const rapidjson::Document all = load(GetParam());
    const Suite suite = std::string(GetParam()) == "envelope_v1" ? Suite::xaes_256_gcm
                                                                 : Suite::xaes_256_gcm_committing;
    EXPECT_GE(all["valid"].Size(), suite == Suite::xaes_256_gcm ? 20u : 8u);
    for (const Value &v : all["valid"].GetArray()) {
        const Bytes tenant = hex(v, "tenant"), subject = hex(v, "subject"), token = hex(v, "token"),
                    nonce = hex(v, "nonce"), plaintext = hex(v, "plaintext");
        std::vector<Bytes> parts;
        for (const Value &part : v["row"].GetArray()) parts.push_back(from_hex(part.GetString()));
        std::vector<ByteView> views;
        for (const Bytes &part : parts) views.push_back(view(part));
        const Binding binding{view(tenant), view(subject), views.data(),
                              static_cast<uint8_t>(views.size())};
        EnvelopeHeader header{suite,
                              static_cast<PlaintextType>(u32(v, "type")),
                              static_cast<uint8_t>(u32(v, "flags")),
                              {},
                              u32(v, "epoch"),
                              u32(v, "field")};
        tenant_tag(view(tenant), header.tenant_tag);
        const EnvelopeKey key{suite, Key32(view(hex(v, "key")))};
        EXPECT_EQ(to_hex(key.commitment()),
                  suite == Suite::xaes_256_gcm ? std::string() : str(v, "commitment"));
        Bytes envelope(envelope_size(header, plaintext.size()));
        seal_envelope_with_nonce(key, header, binding, view(token), view(nonce), view(plaintext),
                                 span(envelope));
        EXPECT_EQ(to_hex(view(envelope)), str(v, "envelope")) << str(v, "name");

        std::string armor(armor_size(envelope.size()), '?');
        to_armor(view(envelope), armor.data());
        EXPECT_EQ(armor, str(v, "armor"));
        Bytes stripped(envelope.size());
        stripped.resize(strip_token(view(envelope), span(stripped)));
        EXPECT_EQ(to_hex(view(stripped)), str(v, "stripped"));
        for (const Bytes &form : {envelope, stripped}) {
            Bytes out(plaintext.size());
            open_envelope(key, parse_envelope(view(form)), binding, span(out));
            EXPECT_EQ(out, plaintext);
        }
    }
    for (const Value &v : all["malformed"].GetArray()) {
        SCOPED_TRACE(str(v, "name"));
        const Bytes envelope = hex(v, "envelope");
        expect_error(Code::malformed, [&] { parse_envelope(view(envelope)); });
    }
    for (const Value &v : all["unopenable"].GetArray()) {
        SCOPED_TRACE(str(v, "name"));
        const Bytes envelope = hex(v, "envelope"), tenant = hex(v, "tenant");
        const EnvelopeKey key{suite, Key32(view(hex(v, "key")))};
        const EnvelopeParts parts = parse_envelope(view(envelope));
        Bytes out(envelope_plaintext_size(parts));
        const Binding binding{view(tenant), {}, nullptr, 0};
        expect_error(Code::cannot_open, [&] { open_envelope(key, parts, binding, span(out)); });
    }
}

// Whoever knows two keys makes one value of suite 1 for both; of suite 2 only the first opens it.
TEST(Vectors, ACommittedValueOpensUnderOneKey) {
    const rapidjson::Document all = load("envelope_v1_committing");
    for (const Value &v : all["two_keys"].GetArray()) {
        const Suite suite = static_cast<Suite>(u32(v, "suite"));
        SCOPED_TRACE(u32(v, "suite"));
        const Bytes envelope = hex(v, "envelope"), tenant = hex(v, "tenant");
        const EnvelopeParts parts = parse_envelope(view(envelope));
        const Binding binding{view(tenant), {}, nullptr, 0};
        const auto opened = [&](int which) {
            const EnvelopeKey key{suite, Key32(view(from_hex(v["keys"][which].GetString())))};
            Bytes out(envelope_plaintext_size(parts));
            open_envelope(key, parts, binding, span(out));
            return to_hex(view(out));
        };
        EXPECT_EQ(opened(0), v["opened"][0].GetString());
        if (suite == Suite::xaes_256_gcm)
            EXPECT_EQ(opened(1), v["opened"][1].GetString());
        else
            expect_error(Code::cannot_open, [&] { opened(1); });
    }
}

TEST(Vectors, EntryV1) {
    const rapidjson::Document all = load("entry_v1");
    for (const Value &v : all["valid"].GetArray()) {
        SCOPED_TRACE(str(v, "name"));
        const Value &in = v["fields"];
        const auto bytes = [&](const char *member) {
            return in.HasMember(member) ? hex(in, member) : Bytes();
        };
        const auto text = [&](const char *member) {
            return in.HasMember(member) ? str(in, member) : std::string();
        };
        const auto number = [&](const char *member) {
            return in.HasMember(member) ? in[member].GetUint64() : 0;
        };
        const Bytes tenant = bytes("tenant"), user = bytes("user"), session = bytes("session"),
                    origin = bytes("origin"), detail = bytes("detail_cbor"),
                    image = bytes("image_cbor");
        const std::string event = text("event"), session_user = text("session_user"),
                          request = text("request_id"), kind = text("target_kind"),
                          id = text("target_id"), outcome = text("outcome");
        EntryFields f;
        f.epoch = number("epoch");
        f.tenant = view(tenant);
        f.event = event;
        f.unix_micros = in["unix_micros"].GetInt64();
        f.outcome = outcome == "success"   ? Outcome::success
                    : outcome == "failure" ? Outcome::failure
                                           : Outcome::denied;
        f.session_user = session_user;
        f.user = view(user);
        f.session = view(session);
        f.rank = static_cast<int>(number("rank"));
        f.way = static_cast<int>(number("way"));
        f.job = number("job");
        f.request_id = request;
        f.origin = view(origin);
        f.target_kind = kind;
        f.target_id = id;
        f.detail = view(detail);
        f.image = view(image);
        f.xid = number("xid");
        f.ordinal = static_cast<uint32_t>(number("ordinal"));

        Bytes body(encode_entry(f, {}));
        encode_entry(f, span(body));
        EXPECT_EQ(to_hex(view(body)), str(v, "body"));
        EXPECT_EQ(to_hex(leaf_hash(view(body)).view()), str(v, "leaf"));
        Bytes again(body.size());
        EXPECT_EQ(encode_entry(decode_entry(view(body)), span(again)), body.size());
        EXPECT_EQ(again, body);
    }
    for (const Value &v : all["refused"].GetArray()) {
        SCOPED_TRACE(str(v, "name"));
        const Bytes body = hex(v, "body");
        expect_error(Code::malformed, [&] { decode_entry(view(body)); });
    }
}

TEST(Vectors, SealV1) {
    const rapidjson::Document all = load("seal_v1");
    for (const Value &v : all["tree"].GetArray()) {
        Frontier frontier;
        for (const Value &leaf : v["leaves"].GetArray())
            frontier.append(merkle_leaf(view(from_hex(leaf.GetString()))));
        EXPECT_EQ(to_hex(frontier.root().view()), str(v, "root"));
        Bytes encoded(frontier_size(frontier));
        encode_frontier(frontier, span(encoded));
        EXPECT_EQ(to_hex(view(encoded)), str(v, "frontier"));
    }
    for (const Value &v : all["head"].GetArray()) {
        Digest root;
        memcpy(root.bytes, hex(v, "root").data(), kDigestBytes);
        EXPECT_EQ(to_hex(head_leaf(view(hex(v, "log_id")), v["size"].GetUint64(), root).view()),
                  str(v, "leaf"));
        EXPECT_EQ(to_hex(merkle_leaf(view(hex(v, "data"))).view()), str(v, "leaf"));
    }
    for (const Value &v : all["chain"].GetArray()) {
        const Value &in = v["fields"];
        const std::string snapshot = str(in, "snapshot");
        SealFields f{};
        f.epoch = in["epoch"].GetUint64();
        f.number = in["number"].GetUint64();
        f.unix_micros = in["unix_micros"].GetInt64();
        f.entries = in["entries"].GetUint64();
        f.root_size = in["root_size"].GetUint64();
        memcpy(f.root.bytes, hex(in, "root").data(), kDigestBytes);
        memcpy(f.previous.bytes, hex(in, "previous").data(), kDigestBytes);
        f.snapshot = snapshot;
        f.wal_position = in["wal_position"].GetUint64();
        Bytes encoded(encode_seal(f, {}));
        encode_seal(f, span(encoded));
        EXPECT_EQ(to_hex(view(encoded)), str(v, "seal"));
        EXPECT_EQ(to_hex(seal_hash(view(encoded)).view()), str(v, "hash"));
        Bytes again(encoded.size());
        encode_seal(decode_seal(view(encoded)), span(again));
        EXPECT_EQ(again, encoded);
    }
    for (const Value &v : all["refused"].GetArray()) {
        SCOPED_TRACE(str(v, "name"));
        const Bytes seal = hex(v, "seal");
        expect_error(Code::malformed, [&] { decode_seal(view(seal)); });
    }
}

namespace {

// A request of a vector, which owns its texts.
struct VectorRequest {
    explicit VectorRequest(const Value &v)
        : method(str(v, "method")),
          scheme(str(v, "scheme")),
          authority(str(v, "authority")),
          target(str(v, "target")),
          content(hex(v, "content")) {
        for (const Value &field : v["fields"].GetArray())
            fields.push_back({field[0].GetString(), field[1].GetString()});
    }
    HttpRequest view() const {
        return {method,
                scheme,
                authority,
                target,
                fields.data(),
                fields.size(),
                aegis::test::view(content)};
    }

    std::string method, scheme, authority, target;
    Bytes content;
    std::vector<HttpField> fields;  // views into the document
};

std::string signature_input(const VectorRequest &request) {
    for (const HttpField &field : request.fields)
        if (field.name == "signature-input") return std::string(field.value);
    return {};
}

}  // namespace

TEST(Vectors, HttpSignatureV1) {
    const rapidjson::Document all = load("http_signature_v1");
    const Bytes secret = hex(all, "secret");
    for (const Value &v : all["valid"].GetArray()) {
        SCOPED_TRACE(str(v, "name"));
        const VectorRequest request(v["request"]);
        const auto inputs = parse_dictionary(signature_input(request));
        EXPECT_EQ(signature_base(request.view(), inputs.at(0).list), str(v, "base"));
        ServiceSignature read;
        read_service_signature(request.view(), &read);
        EXPECT_STREQ(read.key_id, "test-shared-secret");
        EXPECT_STREQ(read.nonce, "b3k2pp5k7z-50gnwp.yemd");
        verify_service_signature(request.view(), view(secret));
        expect_error(Code::cannot_open, [&] {
            verify_service_signature(request.view(), {secret.data(), 32});
        });
    }
    for (const Value &v : all["outbound"].GetArray()) {
        const bool for_caller = v.HasMember("caller");
        const SignedFields made = sign_outbound_request(
            VectorRequest(v["request"]).view(), "billing.1", view(secret), 1618884473,
            "b3k2pp5k7z-50gnwp.yemd", for_caller ? v["caller"].GetString() : "");
        const auto &fields = v["fields"];
        rapidjson::SizeType first = for_caller ? 1 : 0;
        if (!made.content_digest.empty()) {
            EXPECT_EQ(made.content_digest, fields[first++][1].GetString());
        }
        EXPECT_EQ(made.signature_input, fields[first][1].GetString());
        EXPECT_EQ(made.signature, fields[first + 1][1].GetString());
    }
    for (const Value &v : all["refused"].GetArray()) {
        const VectorRequest request(v["request"]);
        EXPECT_TRUE(refused([&] { verify_service_signature(request.view(), view(secret)); }))
            << str(v, "name");
    }
}

TEST(Vectors, SessionTokenV1) {
    const rapidjson::Document all = load("session_token_v1");
    for (const Value &v : all["valid"].GetArray()) {
        const std::string token = str(v, "token");
        EXPECT_TRUE(is_session_token(token));
        EXPECT_EQ(to_hex(session_token_hash(token).view()), str(v, "hash"));
        const Bytes random = hex(v, "random");
        std::string digits(base64url_size(random.size()), '?');
        to_base64url(view(random), digits.data());
        EXPECT_EQ(token.substr(token.size() - digits.size()), digits);
        char made[kMaxSessionTokenBytes];
        const size_t size = make_session_token(str(v, "region"), made);
        EXPECT_EQ(std::string(made, size - digits.size()),
                  token.substr(0, token.size() - digits.size()));
    }
    for (const Value &token : all["refused"].GetArray())
        EXPECT_FALSE(is_session_token(token.GetString())) << token.GetString();
}

TEST(Vectors, UserTokenV1) {
    const rapidjson::Document all = load("user_token_v1");
    for (const Value &v : all["valid"].GetArray()) {
        const std::string token = str(v, "token");
        EXPECT_TRUE(is_token(TokenKind::user, token)) << token;
        EXPECT_FALSE(is_session_token(token)) << token;
        EXPECT_EQ(to_hex(session_token_hash(token).view()), str(v, "hash"));
    }
    for (const Value &token : all["refused"].GetArray())
        EXPECT_FALSE(is_token(TokenKind::user, token.GetString())) << token.GetString();
}

TEST(Vectors, RecoveryCodeV1) {
    const rapidjson::Document all = load("recovery_code_v1");
    char first[kRecoveryCodeDigits], digits[kRecoveryCodeDigits];
    ASSERT_TRUE(read_recovery_code(str(all["valid"][0], "code"), first));
    for (const Value &v : all["valid"].GetArray()) {
        ASSERT_TRUE(read_recovery_code(str(v, "code"), digits));
        const Bytes user = hex(v, "user");
        EXPECT_EQ(to_hex(recovery_code_hash(view(user), digits).view()), str(v, "hash"));
    }
    for (const Value &typed : all["typed"].GetArray()) {
        EXPECT_TRUE(read_recovery_code(typed.GetString(), digits));
        EXPECT_EQ(std::string(digits, sizeof digits), std::string(first, sizeof first));
    }
    for (const Value &typed : all["refused"].GetArray())
        EXPECT_FALSE(read_recovery_code(typed.GetString(), digits)) << typed.GetString();
}

TEST(Vectors, WrappedKeyringV1) {
    const rapidjson::Document all = load("wrapped_keyring_v1");
    for (const Value &v : all["keyring"].GetArray()) {
        WrappedKeyring ring;
        parse_wrapped_keyring(str(v, "text"), &ring);
        const auto keys = v["keys"].GetArray();
        ASSERT_EQ(ring.count, static_cast<int>(keys.Size()));
        for (int i = 0; i < ring.count; ++i) {
            EXPECT_EQ(ring.keys[i].version, u32(keys[i], "version"));
            EXPECT_EQ(to_hex(ring.keys[i].bytes), str(keys[i], "wrapped"));
            uint8_t context[kWrappedKeyContextBytes];
            wrapped_key_context(ring.keys[i].version, context);
            EXPECT_EQ(to_hex(context), str(keys[i], "context"));
        }
    }
    for (const Value &v : all["refused"].GetArray()) {
        const std::string text(v.GetString(), v.GetStringLength());
        WrappedKeyring ring;
        EXPECT_THROW(parse_wrapped_keyring(text, &ring), Error) << text;
    }
}
