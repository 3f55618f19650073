// SPDX-License-Identifier: Apache-2.0
// Secrets and vectors here are published or made for this test; none is anybody's.
#include "core/webhook_signature.hpp"

#include "bytes_of.hpp"
#include "core/digest.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

using Fields = std::vector<HttpField>;

struct Case {
    WebhookScheme scheme;
    std::string secret;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;
    int64_t now = 0;
    std::vector<std::string> item;  // the eight fields and the signature

    WebhookVerdict verify(int64_t at) const {
        Fields views;
        for (const auto &[name, value] : fields) views.push_back({name, value});
        AdyenItem parts;
        WebhookRequest request = {views.data(), views.size(), as_bytes(body), nullptr};
        if (!item.empty()) {
            for (size_t i = 0; i < kAdyenFields; ++i) parts.fields[i] = item[i];
            parts.signature = item[kAdyenFields];
            request.item = &parts;
        }
        return verify_webhook(scheme, secret, request, at, 300);
    }
    WebhookVerdict verify() const { return verify(now); }
    std::string &value(size_t i = 0) { return fields[i].second; }
};

const std::string kAdyenKey = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

std::string anet_key() {
    std::string key;
    for (int i = 0; i < 8; ++i) key += "0123456789ABCDEF";
    return key;
}

Case stripe() {
    return {WebhookScheme::stripe,
            "whsec_test_secret",
            {{"stripe-signature",
              "t=1766500000,"
              "v1=4920133f787c9b404c32b0c967459f5b134defd5d32de56f04d51966381587cf"}},
            "{\"id\":\"evt_1\",\"type\":\"checkout.session.completed\"}",
            1766500000,
            {}};
}

// Published by Standard Webhooks.
Case standard() {
    return {WebhookScheme::standard,
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            {{"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
             {"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"},
             {"webhook-timestamp", "1614265330"}},
            "{\"test\": 2432232314}",
            1614265330,
            {}};
}

// Published by Adyen.
Case adyen() {
    return {WebhookScheme::adyen,
            kAdyenKey,
            {},
            "{}",
            0,
            {"7914073381342284", "", "TestMerchant", "TestPayment-1407325143704", "1130", "EUR",
             "AUTHORISATION", "true", "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="}};
}

Case adyen_header() {
    return {WebhookScheme::adyen_header,
            kAdyenKey,
            {{"hmacsignature", "dHUnFCWH926aP0TyUjn01+mlkLvdPbn5rgnz80rwTM4="}},
            "{\"type\":\"balancePlatform.transfer.created\"}",
            0,
            {}};
}

Case authorize_net() {
    return {WebhookScheme::authorize_net,
            anet_key(),
            {{"x-anet-signature",
              "sha512=0361861DAFE4A6DAB03EED31BDA9438196CF9A71E829BA27A83B3754704C7BB6"
              "D1DB23FE0AAD9CB2E404E598640FA5F8B706D3B9B387555ED4C4E97179E70683"}},
            "{\"notificationId\":\"d0e8e7fe-c3e7-4add-a480-27bc5ce28a18\"}",
            0,
            {}};
}

std::vector<Case> all() {
    return {stripe(), standard(), adyen(), adyen_header(), authorize_net()};
}

void expect(WebhookVerdict wanted, const Case &c) {
    EXPECT_STREQ(webhook_verdict_word(c.verify()), webhook_verdict_word(wanted))
        << (c.fields.empty() ? "" : c.fields[0].second);
}

}  // namespace

TEST(WebhookSignature, VerifiesKnownAnswers) {
    for (const Case &c : all()) expect(WebhookVerdict::valid, c);
}

TEST(WebhookSignature, Sha512IsRfc4231) {
    uint8_t mac[kSha512Bytes];
    hmac_sha512(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"), mac);
    EXPECT_EQ(to_hex(ByteView(mac)),
              "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
              "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
}

TEST(WebhookSignature, RefusesEveryChangedBit) {
    for (const Case &c : all()) {
        const bool in_item = !c.item.empty();
        const size_t texts = in_item ? c.item.size() : c.fields.size() + 1;
        for (size_t text = 0; text < texts; ++text) {
            const auto change = [&](Case &of) -> std::string & {
                if (in_item) return of.item[text];
                return text < of.fields.size() ? of.fields[text].second : of.body;
            };
            Case whole = c;
            const size_t bits = change(whole).size() * 8;
            for (size_t bit = 0; bit < bits; ++bit) {
                Case changed = c;
                change(changed)[bit / 8] ^= static_cast<char>(1 << bit % 8);
                // Authorize.Net's digits may be of either case.
                const bool same_digit = c.scheme == WebhookScheme::authorize_net && bit % 8 == 5 &&
                                        text == 0 && isalpha(change(whole)[bit / 8]) &&
                                        bit / 8 >= strlen("sha512=");
                EXPECT_EQ(changed.verify() == WebhookVerdict::valid, same_digit)
                    << text << " " << bit;
            }
        }
    }
}

TEST(WebhookSignature, RefusesAnotherSecret) {
    for (Case c : all()) {
        char &last = c.secret[c.secret.size() - 3];
        last = last == '0' ? '1' : '0';
        expect(WebhookVerdict::wrong, c);
    }
}

TEST(WebhookSignature, RefusesOldAndFutureTimes) {
    for (const Case &c : {stripe(), standard()}) {
        EXPECT_EQ(c.verify(c.now + 300), WebhookVerdict::valid);
        EXPECT_EQ(c.verify(c.now - 300), WebhookVerdict::valid);
        EXPECT_EQ(c.verify(c.now + 301), WebhookVerdict::stale);
        EXPECT_EQ(c.verify(c.now - 301), WebhookVerdict::early);
    }
}

TEST(WebhookSignature, RefusesHeadersThatStandTwiceOrNotAtAll) {
    for (Case c : {stripe(), standard(), adyen_header(), authorize_net()}) {
        Case twice = c, none = c;
        twice.fields.push_back(c.fields[0]);
        expect(WebhookVerdict::malformed, twice);
        none.fields.erase(none.fields.begin());
        expect(WebhookVerdict::missing, none);
    }
    Case unsigned_item = adyen();
    unsigned_item.item[kAdyenFields].clear();
    expect(WebhookVerdict::missing, unsigned_item);
    Case no_item = adyen();
    no_item.item.clear();
    expect(WebhookVerdict::malformed, no_item);
}

TEST(WebhookSignature, ReadsStripesHeaderStrictly) {
    const std::string v1 = stripe().value().substr(strlen("t=1766500000,"));
    const auto with = [&](const std::string &header) {
        Case c = stripe();
        c.value() = header;
        return c;
    };
    const std::string other = "v1=" + std::string(64, 'a');
    expect(WebhookVerdict::valid, with("t=1766500000," + other + "," + v1));
    expect(WebhookVerdict::valid, with(v1 + ",t=1766500000,v0=anything"));
    expect(WebhookVerdict::wrong, with("t=1766500000," + other));
    expect(WebhookVerdict::missing, with("t=1766500000,v0=" + v1.substr(3)));
    for (const std::string &bad :
         {std::string(), std::string("t=1766500000"), "t=1766500000abc," + v1,
          "t=+1766500000," + v1, "t=01766500000," + v1, "t=1766500000,t=1766500000," + v1,
          "t=1766500000, " + v1, "t=1766500000;" + v1, v1, "t=," + v1, "t=1766500000," + v1 + ",",
          "T=1766500000," + v1, "t=1766500000," + v1 + "00", "t=9999999999999," + v1}) {
        const WebhookVerdict verdict = with(bad).verify();
        EXPECT_TRUE(verdict == WebhookVerdict::malformed || verdict == WebhookVerdict::missing)
            << bad;
    }
    std::string many = "t=1766500000";
    for (int i = 0; i < 16; ++i) many += "," + other;
    expect(WebhookVerdict::malformed, with(many + "," + v1));
}

TEST(WebhookSignature, ReadsStandardHeadersStrictly) {
    const Case good = standard();
    Case c = good;
    c.value() = "v1a,AAAA v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= " + good.fields[0].second;
    expect(WebhookVerdict::valid, c);
    c = good;
    for (auto &[name, value] : c.fields) name = "svix-" + name.substr(strlen("webhook-"));
    expect(WebhookVerdict::valid, c);
    c.fields.push_back({"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"});
    expect(WebhookVerdict::malformed, c);
    c = good;
    c.value() = "v2" + good.fields[0].second.substr(2);
    expect(WebhookVerdict::missing, c);
    for (const char *bad : {"", "v1", "v1,", "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
                            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= ", "v1,g0hM"}) {
        c = good;
        c.value() = bad;
        EXPECT_NE(c.verify(), WebhookVerdict::valid) << bad;
    }
    c = good;
    c.value(1) = "msg.p5jX";
    expect(WebhookVerdict::malformed, c);
    c = good;
    c.value(2) = "1614265330 ";
    expect(WebhookVerdict::malformed, c);
    c = good;
    c.fields.pop_back();
    expect(WebhookVerdict::malformed, c);
}

// The key of Authorize.Net is text: whoever decodes its digits makes another signature.
TEST(WebhookSignature, TakesAuthorizeNetsKeyAsText) {
    Case c = authorize_net();
    c.value() =
        "sha512=3FCCF817F3FA693F4682CE794D2483F818D8A427BEF1235E6D89272D7B520D6D"
        "41B738B892774DE391FCF8BCA0DD1DCEBB687B083CB6FEEC056009966B211E33";
    expect(WebhookVerdict::wrong, c);
    c.value() = "sha256=" + c.value().substr(7);
    expect(WebhookVerdict::malformed, c);
}

TEST(WebhookSignature, TakesSecretsOfTheirFormOnly) {
    for (const Case &c : all()) check_webhook_secret(c.scheme, c.secret);
    const std::pair<WebhookScheme, std::string> bad[] = {
        {WebhookScheme::stripe, "sk_test_123456789"},
        {WebhookScheme::stripe, "whsec_ blank"},
        {WebhookScheme::stripe, ""},
        {WebhookScheme::authorize_net, kAdyenKey},
        {WebhookScheme::adyen, anet_key()},
        {WebhookScheme::adyen, "zz" + kAdyenKey.substr(2)},
        {WebhookScheme::standard, "whsec_MfKQ"},
        {WebhookScheme::standard, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"},
        {WebhookScheme::standard, std::string(200, 'A')}};
    for (const auto &[scheme, secret] : bad)
        EXPECT_TRUE(refused([&, s = scheme, t = secret] { check_webhook_secret(s, t); })) << secret;
    EXPECT_TRUE(refused([] { webhook_scheme("paypal"); }));
}
