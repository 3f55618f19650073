// SPDX-License-Identifier: Apache-2.0
// The C interface, by the symbols that the shared library exports.
#include "aegis.h"

#include <rapidjson/document.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "bytes_of.hpp"
#include "core/encoding.hpp"
#include "core/field_key.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

struct Pair {
    uint8_t private_key[AEGIS_KEY_BYTES], public_key[AEGIS_KEY_BYTES];
    Pair() { EXPECT_EQ(aegis_keypair(private_key, public_key), AEGIS_OK); }
};

FieldKey field_key(Suite suite, bool searchable) {
    FieldKey key{};
    key.suite = suite;
    key.type = PlaintextType::text;
    key.normaliser = searchable ? Normaliser::email : Normaliser::none;
    key.type_reference = searchable ? 0x89c8b101 : 0;
    key.epoch = 3;
    key.field = 0xc9e9469b;
    for (uint8_t i = 0; i < 32; ++i) {
        key.tenant[i % 16] = i;
        key.key[i] = static_cast<uint8_t>(i * 3);
        key.index_key[i] = static_cast<uint8_t>(searchable ? i * 5 : 0);
    }
    return key;
}

aegis_key *opened(const FieldKey &parts) {
    const Pair pair;
    aegis_key *key = nullptr;
    EXPECT_EQ(aegis_key_open(pair.private_key,
                             seal_field_key(parts, ByteView(pair.public_key)).c_str(), &key),
              AEGIS_OK);
    return key;
}

std::string sealed(aegis_key *key, std::string_view text) {
    std::string armor(aegis_sealed_size(key, text.size()), '?');
    size_t size = 0;
    EXPECT_EQ(aegis_seal(key, text.data(), text.size(), armor.data(), armor.size(), &size),
              AEGIS_OK);
    EXPECT_EQ(size + 1, armor.size());
    armor.resize(size);
    return armor;
}

aegis_status open(aegis_key *key, const std::string &armor, std::string *text = nullptr) {
    char out[2000];
    size_t size = 0;
    const aegis_status status = aegis_open(key, armor.c_str(), out, sizeof out, &size);
    if (text && status == AEGIS_OK) text->assign(out, size);
    return status;
}

}  // namespace

TEST(Client, SealsWhatTheCoreOpensAndBack) {
    for (Suite suite : {Suite::xaes_256_gcm, Suite::xaes_256_gcm_committing})
        for (bool searchable : {false, true}) {
            const FieldKey parts = field_key(suite, searchable);
            aegis_key *key = opened(parts);
            ASSERT_NE(key, nullptr);
            EXPECT_EQ(aegis_key_epoch(key), 3u);
            const std::string armor = sealed(key, "Bob@example.com");
            EXPECT_NE(armor, sealed(key, "Bob@example.com"));
            Bytes envelope(armor_decoded_size(armor));
            from_armor(armor, span(envelope));
            const EnvelopeParts read = parse_envelope(view(envelope));
            EXPECT_EQ(read.header.suite, suite);
            Binding binding;
            binding.tenant = parts.tenant;
            Bytes out(envelope_plaintext_size(read));
            open_envelope(EnvelopeKey(suite, Key32(ByteView(parts.key))), read, binding, span(out));
            EXPECT_EQ(out, bytes_of("Bob@example.com"));
            uint8_t token[AEGIS_TOKEN_BYTES], wanted[kTokenBytes];
            EXPECT_EQ(aegis_token(key, " BOB@example.com\n", 17, token),
                      searchable ? AEGIS_OK : AEGIS_NO_SEARCH);
            if (searchable) {
                search_token(HmacKey(parts.index_key), as_bytes("bob@example.com"), wanted);
                EXPECT_EQ(to_hex(token), to_hex(wanted));
                EXPECT_EQ(to_hex(read.token), to_hex(wanted));
            }
            std::string text;
            EXPECT_EQ(open(key, armor, &text), AEGIS_OK);
            EXPECT_EQ(text, "Bob@example.com");
            aegis_key_free(key);
        }
}

TEST(Client, RefusesWhatIsNotItsOwn) {
    FieldKey parts = field_key(Suite::xaes_256_gcm_committing, true);
    aegis_key *key = opened(parts);
    const std::string good = sealed(key, "bob@example.com");
    Bytes envelope(armor_decoded_size(good));
    from_armor(good, span(envelope));
    for (size_t bit = 0; bit < envelope.size() * 8; ++bit) {
        Bytes changed = envelope;
        changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        std::string armor(armor_size(changed.size()), '?');
        to_armor(view(changed), armor.data());
        EXPECT_NE(open(key, armor), AEGIS_OK) << bit;
    }
    for (size_t size = 0; size < good.size(); ++size)
        EXPECT_NE(open(key, good.substr(0, size)), AEGIS_OK);
    EXPECT_EQ(open(key, "bob@example.com"), AEGIS_MALFORMED);
    parts.epoch = 4;
    aegis_key *other = opened(parts);
    EXPECT_EQ(open(other, good), AEGIS_OTHER_EPOCH);
    aegis_key_free(other);
    for (int change = 0; change < 3; ++change) {
        parts = field_key(Suite::xaes_256_gcm_committing, true);
        if (change == 0) parts.field++;
        if (change == 1) parts.tenant[0]++;
        if (change == 2) parts.key[0]++;
        other = opened(parts);
        EXPECT_EQ(open(other, good), AEGIS_CANNOT_OPEN) << change;
        aegis_key_free(other);
    }
    aegis_key_free(key);
}

TEST(Client, RefusesMisuse) {
    const Pair pair;
    aegis_key *key = opened(field_key(Suite::xaes_256_gcm, true));
    char armor[512];
    uint8_t bytes[64];
    size_t size = 7;
    EXPECT_EQ(aegis_keypair(nullptr, bytes), AEGIS_MISUSE);
    EXPECT_EQ(aegis_keypair(bytes, nullptr), AEGIS_MISUSE);
    aegis_key *none = key;
    EXPECT_EQ(aegis_key_open(nullptr, "AF1.", &none), AEGIS_MISUSE);
    EXPECT_EQ(none, nullptr);
    EXPECT_EQ(aegis_key_open(pair.private_key, nullptr, &none), AEGIS_MISUSE);
    EXPECT_EQ(aegis_key_open(pair.private_key, "AF1.", nullptr), AEGIS_MISUSE);
    EXPECT_EQ(aegis_seal(nullptr, "a@b", 3, armor, sizeof armor, &size), AEGIS_MISUSE);
    EXPECT_EQ(size, 0u);
    EXPECT_EQ(aegis_seal(key, nullptr, 3, armor, sizeof armor, &size), AEGIS_MISUSE);
    EXPECT_EQ(aegis_seal(key, "a@b", 3, nullptr, sizeof armor, &size), AEGIS_MISUSE);
    EXPECT_EQ(aegis_seal(key, "a@b", 3, armor, sizeof armor, nullptr), AEGIS_MISUSE);
    EXPECT_EQ(aegis_open(nullptr, "A1.", bytes, sizeof bytes, &size), AEGIS_MISUSE);
    EXPECT_EQ(aegis_open(key, nullptr, bytes, sizeof bytes, &size), AEGIS_MISUSE);
    EXPECT_EQ(aegis_open(key, "A1.", nullptr, 1, &size), AEGIS_MISUSE);
    EXPECT_EQ(aegis_open(key, "A1.", bytes, sizeof bytes, nullptr), AEGIS_MISUSE);
    EXPECT_EQ(aegis_token(nullptr, "a@b", 3, bytes), AEGIS_MISUSE);
    EXPECT_EQ(aegis_token(key, nullptr, 3, bytes), AEGIS_MISUSE);
    EXPECT_EQ(aegis_token(key, "a@b", 3, nullptr), AEGIS_MISUSE);
    EXPECT_EQ(aegis_key_epoch(nullptr), 0u);
    EXPECT_EQ(aegis_sealed_size(nullptr, 3), 0u);
    aegis_key_free(nullptr);

    // Short buffers: nothing is written, and how much is needed is said.
    const size_t needed = aegis_sealed_size(key, 3);
    for (size_t room = 0; room < needed; ++room) {
        memset(armor, '!', sizeof armor);
        EXPECT_EQ(aegis_seal(key, "a@b", 3, armor, room, &size), AEGIS_TOO_SMALL);
        EXPECT_EQ(size, needed);
        EXPECT_EQ(std::string(armor, sizeof armor), std::string(sizeof armor, '!'));
    }
    const std::string good = sealed(key, "a@b");
    for (size_t room = 0; room < 3; ++room) {
        memset(bytes, 9, sizeof bytes);
        EXPECT_EQ(aegis_open(key, good.c_str(), bytes, room, &size), AEGIS_TOO_SMALL);
        EXPECT_EQ(size, 3u);
        EXPECT_EQ(bytes[0], 9);
    }
    const std::string too_long = std::string(999, 'a') + "@b";
    EXPECT_EQ(aegis_sealed_size(key, too_long.size()), 0u);
    EXPECT_EQ(aegis_seal(key, too_long.data(), too_long.size(), armor, sizeof armor, &size),
              AEGIS_TOO_LONG);
    EXPECT_EQ(aegis_token(key, too_long.data(), too_long.size(), bytes), AEGIS_TOO_LONG);
    EXPECT_EQ(aegis_seal(key, "no address", 10, armor, sizeof armor, &size), AEGIS_MALFORMED);
    EXPECT_EQ(aegis_seal(key, "a@\xff", 3, armor, sizeof armor, &size), AEGIS_MALFORMED);
    aegis_key_free(key);
    for (int status = -1; status <= 10; ++status)
        EXPECT_NE(aegis_status_text(static_cast<aegis_status>(status)), nullptr);
    EXPECT_EQ(aegis_version(), AEGIS_VERSION_MAJOR * 1000u + AEGIS_VERSION_MINOR);
}

TEST(Client, RefusesKeysOfOtherVersionsAndOthers) {
    const Pair pair, stranger;
    const FieldKey good = field_key(Suite::xaes_256_gcm, true);
    aegis_key *key = nullptr;
    const std::string text = seal_field_key(good, ByteView(pair.public_key));
    EXPECT_EQ(aegis_key_open(stranger.private_key, text.c_str(), &key), AEGIS_CANNOT_OPEN);
    for (size_t size = 0; size < text.size(); ++size)
        EXPECT_NE(aegis_key_open(pair.private_key, text.substr(0, size).c_str(), &key), AEGIS_OK);
    for (size_t at = 4; at < text.size(); ++at) {
        std::string changed = text;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        EXPECT_NE(aegis_key_open(pair.private_key, changed.c_str(), &key), AEGIS_OK) << at;
    }
    const auto status = [&](void (*change)(FieldKey *)) {
        FieldKey parts = good;
        change(&parts);
        return aegis_key_open(pair.private_key,
                              seal_field_key(parts, ByteView(pair.public_key)).c_str(), &key);
    };
    EXPECT_EQ(status([](FieldKey *k) { k->suite = static_cast<Suite>(3); }), AEGIS_UNSUPPORTED);
    EXPECT_EQ(status([](FieldKey *k) { k->suite = Suite::unsealed; }), AEGIS_UNSUPPORTED);
    EXPECT_EQ(status([](FieldKey *k) { k->type = PlaintextType::date; }), AEGIS_UNSUPPORTED);
    EXPECT_EQ(status([](FieldKey *k) { k->normaliser = static_cast<Normaliser>(200); }),
              AEGIS_UNSUPPORTED);
    EXPECT_EQ(status([](FieldKey *k) { k->epoch = 0; }), AEGIS_MALFORMED);
    EXPECT_EQ(status([](FieldKey *k) { k->type_reference = 0; }), AEGIS_MALFORMED);
    EXPECT_EQ(key, nullptr);
}

TEST(Client, OneKeyServesSeveralThreads) {
    aegis_key *key = opened(field_key(Suite::xaes_256_gcm_committing, true));
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            const std::string mine = "user" + std::to_string(t) + "@example.com";
            for (int i = 0; i < 300; ++i) {
                std::string text;
                if (open(key, sealed(key, mine), &text) != AEGIS_OK || text != mine) ++wrong;
            }
        });
    for (std::thread &thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
    aegis_key_free(key);
}

// What the independent implementation sealed.
TEST(Client, ReadsTheFrozenVector) {
    std::ifstream file(AEGIS_VECTORS "/field_key_v1.json");
    std::stringstream text;
    text << file.rdbuf();
    rapidjson::Document v;
    v.Parse(text.str().c_str());
    ASSERT_FALSE(v.HasParseError());
    const Bytes own = from_hex(v["private"].GetString());
    for (const auto &each : v["keys"].GetArray()) {
        aegis_key *key = nullptr;
        ASSERT_EQ(aegis_key_open(own.data(), each["text"].GetString(), &key), AEGIS_OK);
        std::string opened_text;
        EXPECT_EQ(open(key, each["armor"].GetString(), &opened_text), AEGIS_OK);
        EXPECT_EQ(bytes_of(opened_text), from_hex(each["plaintext"].GetString()));
        aegis_key_free(key);
    }
    for (const auto &each : v["refused"].GetArray()) {
        aegis_key *key = nullptr;
        EXPECT_NE(aegis_key_open(own.data(), each["text"].GetString(), &key), AEGIS_OK)
            << each["name"].GetString();
    }
}
