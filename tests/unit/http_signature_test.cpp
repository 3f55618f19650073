// SPDX-License-Identifier: Apache-2.0
#include "core/http_signature.hpp"

#include "bytes_of.hpp"
#include "core/digest.hpp"
#include "core/encoding.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

// test-shared-secret of RFC 9421, appendix B.1.5.
Bytes shared_secret() {
    constexpr std::string_view text =
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
    Bytes key(base64_decoded_size(text));
    from_base64(text, span(key));
    return key;
}

constexpr std::string_view kBody = "{\"hello\": \"world\"}";
constexpr std::string_view kDigest = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
constexpr char kParameters[] =
    ";created=1618884473;nonce=\"b3k2pp5k7z-50gnwp.yemd\";keyid=\"test-shared-secret\"";

// A signed request that owns its texts, and whose parts a test changes.
struct Signed {
    std::string method = "POST", scheme = "https", authority = "example.com";
    std::string target = "/foo?param=Value&Pet=dog", content{kBody};
    std::vector<std::pair<std::string, std::string>> fields;

    HttpRequest request() {
        views.clear();
        for (const auto &[name, value] : fields) views.push_back({name, value});
        return {method, scheme, authority, target, views.data(), views.size(), as_bytes(content)};
    }
    std::string &field(const std::string &name) {
        for (auto &[known, value] : fields)
            if (known == name) return value;
        fields.emplace_back(name, "");
        return fields.back().second;
    }
    // Signs with the shared secret what the list covers, whatever the profile says to it.
    void sign(const std::string &list, const std::string &label = "sig1") {
        const HttpRequest now = request();
        const InnerList covered = parse_dictionary("x=" + list).at(0).list;
        const Digest mac = hmac(signature_base(now, covered));
        field("signature-input") = label + "=" + list;
        field("signature") = label + "=" + format_byte_sequence(mac.view());
    }
    static Digest hmac(const std::string &base) {
        return hmac_sha256(view(shared_secret()), as_bytes(base));
    }
    void verify() { verify_service_signature(request(), view(shared_secret())); }
    bool is_refused() {
        return refused([&] { verify(); });
    }

 private:
    std::vector<HttpField> views;
};

const std::string kCovered = "(\"@method\" \"@target-uri\" \"content-digest\")";

Signed valid() {
    Signed message;
    message.fields = {{"content-type", "application/json"},
                      {"content-digest", std::string(kDigest)}};
    message.sign(kCovered + kParameters);
    return message;
}

}  // namespace

// Appendix B.2.5 of RFC 9421, to the byte.
TEST(HttpSignature, MakesThePublishedBase) {
    const HttpField fields[] = {{"date", "Tue, 20 Apr 2021 02:07:55 GMT"},
                                {"content-type", "application/json"}};
    const HttpRequest request = {"POST", "https", "example.com",  "/foo?param=Value&Pet=dog",
                                 fields, 2,       as_bytes(kBody)};
    const auto inputs = parse_dictionary(
        "sig-b25=(\"date\" \"@authority\" "
        "\"content-type\");created=1618884473;keyid=\"test-shared-secret\"");
    const std::string base = signature_base(request, inputs.at(0).list);
    EXPECT_EQ(base,
              "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
              "\"@authority\": example.com\n"
              "\"content-type\": application/json\n"
              "\"@signature-params\": (\"date\" \"@authority\" \"content-type\")"
              ";created=1618884473;keyid=\"test-shared-secret\"");
    EXPECT_EQ(format_byte_sequence(Signed::hmac(base).view()),
              ":pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:");
}

TEST(HttpSignature, DerivesComponents) {
    const HttpField fields[] = {{"x-a", "  1 "}, {"x-b", "b"}, {"x-a", "2"}, {"x-e", ""}};
    HttpRequest request = {"get", "HTTPS", "Example.COM:443", "/a/%7Eb?x=%20&y", fields, 4, {}};
    const auto value = [&](const std::string &name) {
        const std::string base =
            signature_base(request, parse_dictionary("s=(\"" + name + "\")").at(0).list);
        return base.substr(0, base.find('\n')).substr(name.size() + 4);
    };
    EXPECT_EQ(value("@method"), "get");
    EXPECT_EQ(value("@scheme"), "https");
    EXPECT_EQ(value("@authority"), "example.com");
    EXPECT_EQ(value("@path"), "/a/%7Eb");
    EXPECT_EQ(value("@query"), "?x=%20&y");
    EXPECT_EQ(value("@request-target"), "/a/%7Eb?x=%20&y");
    EXPECT_EQ(value("@target-uri"), "https://example.com/a/%7Eb?x=%20&y");
    EXPECT_EQ(value("x-a"), "1, 2");
    EXPECT_EQ(value("x-e"), "");
    request.authority = "example.com:8443";
    request.target = "/";
    EXPECT_EQ(value("@authority"), "example.com:8443");
    EXPECT_EQ(value("@query"), "?");
    for (const char *name :
         {"@status", "@signature-params", "@query-param", "@unknown", "x-none", "X-A", ""})
        EXPECT_TRUE(refused([&] { value(name); })) << name;
    for (const char *list :
         {"(\"x-a\" \"x-a\")", "(\"x-a\";sf)", "(\"@method\";req)", "(x-a)", "(1)"})
        EXPECT_TRUE(refused([&] {
            signature_base(request, parse_dictionary(std::string("s=") + list).at(0).list);
        })) << list;
}

TEST(HttpSignature, AcceptsTheProfile) {
    Signed message = valid();
    message.verify();
    ServiceSignature read;
    read_service_signature(message.request(), &read);
    EXPECT_STREQ(read.key_id, "test-shared-secret");
    EXPECT_STREQ(read.nonce, "b3k2pp5k7z-50gnwp.yemd");
    EXPECT_EQ(read.created, 1618884473);
    EXPECT_EQ(read.expires, 0);
    for (const char *list : {"(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\")",
                             "(\"content-type\" \"content-digest\" \"@target-uri\" \"@scheme\" "
                             "\"@method\" \"@request-target\")"}) {
        message.sign(list + std::string(kParameters) +
                     ";expires=1618884500;alg=\"hmac-sha256\";tag=\"aegis\"");
        message.verify();
    }
    read_service_signature(message.request(), &read);
    EXPECT_EQ(read.expires, 1618884500);
    Signed empty;
    empty.method = "GET";
    empty.content.clear();
    empty.sign("(\"@method\" \"@target-uri\")" + std::string(kParameters));
    empty.verify();
}

TEST(HttpSignature, RefusesEveryChange) {
    EXPECT_FALSE(valid().is_refused());
    const std::pair<const char *, void (*)(Signed &)> changes[] = {
        {"method", [](Signed &m) { m.method = "PUT"; }},
        {"scheme", [](Signed &m) { m.scheme = "http"; }},
        {"authority", [](Signed &m) { m.authority = "example.org"; }},
        {"path", [](Signed &m) { m.target = "/fop?param=Value&Pet=dog"; }},
        {"query", [](Signed &m) { m.target = "/foo?param=Value&Pet=cat"; }},
        {"no query", [](Signed &m) { m.target = "/foo"; }},
        {"body", [](Signed &m) { m.content[2] = 'j'; }},
        {"no body", [](Signed &m) { m.content.clear(); }},
        {"body and digest",
         [](Signed &m) {
             m.content = "";
             m.field("content-digest") = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
         }},
        {"digest twice", [](Signed &m) { m.fields.emplace_back("content-digest", kDigest); }},
        {"no digest", [](Signed &m) { m.fields.erase(m.fields.begin() + 1); }},
        {"created",
         [](Signed &m) {
             m.field("signature-input").replace(m.field("signature-input").find("473"), 3, "474");
         }},
        {"nonce",
         [](Signed &m) {
             m.field("signature-input").replace(m.field("signature-input").find("b3k2"), 4, "b3k3");
         }},
        {"keyid",
         [](Signed &m) {
             m.field("signature-input")
                 .replace(m.field("signature-input").find("shared"), 6, "sharee");
         }},
        {"alg", [](Signed &m) { m.field("signature-input") += ";alg=\"ed25519\""; }},
        {"expires", [](Signed &m) { m.field("signature-input") += ";expires=1918884473"; }},
        {"component dropped",
         [](Signed &m) {
             m.field("signature-input")
                 .replace(m.field("signature-input").find(" \"content-digest\""), 17, "");
         }},
        {"component added",
         [](Signed &m) { m.field("signature-input").insert(6, "\"content-type\" "); }},
        {"order",
         [](Signed &m) {
             m.field("signature-input").replace(6, 23, "\"@target-uri\" \"@method\"");
         }},
        {"signature bit", [](Signed &m) { m.field("signature")[8] ^= 1; }},
        {"two signatures",
         [](Signed &m) {
             m.field("signature-input") += ", b=" + kCovered + kParameters;
             m.field("signature") += ", b=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:";
         }},
        {"two inputs",
         [](Signed &m) { m.field("signature-input") += ", b=" + kCovered + kParameters; }},
        {"other label", [](Signed &m) { m.field("signature").replace(0, 4, "sig2"); }},
        {"no signature", [](Signed &m) { m.fields.pop_back(); }},
    };
    for (const auto &[name, change] : changes) {
        Signed message = valid();
        change(message);
        EXPECT_TRUE(message.is_refused()) << name;
    }
    Bytes other = shared_secret();
    other[0] ^= 1;
    Signed message = valid();
    expect_error(Code::cannot_open,
                 [&] { verify_service_signature(message.request(), view(other)); });
}

// Well signed, with the right secret, and still not enough.
TEST(HttpSignature, RefusesWhatTheProfileLacks) {
    const std::string parameters = kParameters;
    const auto without = [&](const std::string &part) {
        std::string rest = parameters;
        return rest.replace(rest.find(part), part.size(), "");
    };
    const std::string lists[] = {
        "(\"@target-uri\" \"content-digest\")" + parameters,
        "(\"@method\" \"content-digest\")" + parameters,
        "(\"@method\" \"@path\" \"@query\" \"content-digest\")" + parameters,
        "(\"@method\" \"@authority\" \"@path\" \"content-digest\")" + parameters,
        "(\"@method\" \"@target-uri\")" + parameters,
        kCovered + without(";created=1618884473"),
        kCovered + without(";nonce=\"b3k2pp5k7z-50gnwp.yemd\""),
        kCovered + without(";keyid=\"test-shared-secret\""),
        kCovered + parameters + ";alg=\"ed25519\"",
        kCovered + parameters + ";alg=hmac-sha256",
        kCovered + parameters + ";tag=\"other\"",
        kCovered + parameters + ";extra",
        kCovered + ";created=\"1618884473\";nonce=\"b3k2pp5k7z-50gnwp.yemd\";keyid=\"k\"",
        kCovered + ";created=-1;nonce=\"b3k2pp5k7z-50gnwp.yemd\";keyid=\"k\"",
        kCovered + ";created=1618884473;nonce=\"short\";keyid=\"k\"",
        kCovered + ";created=1618884473;nonce=\"b3k2pp5k7z 50gnwp yemd\";keyid=\"k\"",
        kCovered + ";created=1618884473;nonce=\"" + std::string(65, 'n') + "\";keyid=\"k\"",
        kCovered + ";created=1618884473;nonce=\"b3k2pp5k7z-50gnwp.yemd\";keyid=\"../k\"",
        kCovered + ";created=1618884473;nonce=\"b3k2pp5k7z-50gnwp.yemd\";keyid=\"\"",
        kCovered + ";created=1618884473;nonce=\"b3k2pp5k7z-50gnwp.yemd\";keyid=\"" +
            std::string(65, 'k') + "\"",
    };
    for (const std::string &list : lists) {
        Signed message = valid();
        message.sign(list);
        EXPECT_TRUE(message.is_refused()) << list;
    }
}

TEST(HttpSignature, SignsWhatLeaves) {
    for (std::string_view content : {std::string_view(), kBody}) {
        Signed message;
        message.content = content;
        const SignedFields made =
            sign_outbound_request(message.request(), "test-shared-secret", view(shared_secret()),
                                  1618884473, "b3k2pp5k7z-50gnwp.yemd");
        EXPECT_EQ(made.content_digest, content.empty() ? "" : kDigest);
        if (!content.empty()) message.field("content-digest") = made.content_digest;
        const std::string list = content.empty() ? "(\"@method\" \"@target-uri\")" : kCovered;
        EXPECT_EQ(made.signature_input,
                  "aegis=" + list + kParameters + ";alg=\"hmac-sha256\";tag=\"aegis-outbound\"");
        const InnerList covered = parse_dictionary(made.signature_input).at(0).list;
        const Digest mac = Signed::hmac(signature_base(message.request(), covered));
        EXPECT_EQ(made.signature, "aegis=" + format_byte_sequence(mac.view()));
        // Nobody sends it back.
        message.field("signature-input") = made.signature_input;
        message.field("signature") = made.signature;
        EXPECT_TRUE(message.is_refused());
    }
}

TEST(HttpSignature, SignsForWhomItIsSent) {
    const std::string caller = "tenant=\"018f2b6c-7d8e-7f00-91a2-b3c4d5e6f708\", rank=3";
    Signed message;
    const SignedFields made =
        sign_outbound_request(message.request(), "test-shared-secret", view(shared_secret()),
                              1618884473, "b3k2pp5k7z-50gnwp.yemd", caller);
    const InnerList covered = parse_dictionary(made.signature_input).at(0).list;
    ASSERT_EQ(covered.items.size(), message.content.empty() ? 3U : 4U);
    EXPECT_EQ(covered.items[2].value.text, "aegis-caller");
    message.field("aegis-caller") = caller;
    if (!made.content_digest.empty()) message.field("content-digest") = made.content_digest;
    const Digest mac = Signed::hmac(signature_base(message.request(), covered));
    EXPECT_EQ(made.signature, "aegis=" + format_byte_sequence(mac.view()));
    message.field("aegis-caller") = "rank=4";
    const Digest other = Signed::hmac(signature_base(message.request(), covered));
    EXPECT_NE(made.signature, "aegis=" + format_byte_sequence(other.view()));
    expect_error(Code::malformed, [&] {
        sign_outbound_request(message.request(), "test-shared-secret", view(shared_secret()),
                              1618884473, "b3k2pp5k7z-50gnwp.yemd", "rank=\xc3\xa4");
    });
}

TEST(HttpSignature, DoesNotSignWithLess) {
    Signed message;
    const Bytes secret = shared_secret(), short_secret(31);
    const auto sign = [&](std::string_view key_id, const Bytes &key, int64_t created,
                          std::string_view nonce) {
        sign_outbound_request(message.request(), key_id, view(key), created, nonce);
    };
    constexpr std::string_view nonce = "b3k2pp5k7z-50gnwp.yemd";
    for (const char *key_id : {"", "a b", "a\"b"})
        expect_error(Code::invalid_argument, [&] { sign(key_id, secret, 1, nonce); });
    expect_error(Code::invalid_argument, [&] { sign("k", short_secret, 1, nonce); });
    expect_error(Code::invalid_argument, [&] { sign("k", secret, 0, nonce); });
    expect_error(Code::invalid_argument, [&] { sign("k", secret, 1, "short"); });
    message.target = "/\xc3\xa4";
    expect_error(Code::malformed, [&] { sign("k", secret, 1, nonce); });
}
