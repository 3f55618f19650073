// SPDX-License-Identifier: Apache-2.0
#include "core/timestamp.hpp"

#include <rapidjson/document.h>

#include <fstream>
#include <sstream>

#include "bytes_of.hpp"
#include "core/anchor.hpp"
#include "core/encoding.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

class AnchorVectors : public ::testing::Test {
 protected:
    void SetUp() override {
        std::ifstream file(AEGIS_VECTORS "/anchor_v1.json");
        std::stringstream text;
        text << file.rdbuf();
        all_.Parse(text.str().c_str());
        ASSERT_FALSE(all_.HasParseError());
        note_ = all_["note"].GetString();
        digest_ = sha256(as_bytes(note_));
        authority_ = bytes(all_["authority"]);
        response_ = bytes(all_["response"]);
    }
    static std::string bytes(const rapidjson::Value &hex) {
        const Bytes raw = from_hex(hex.GetString());
        return {raw.begin(), raw.end()};
    }

    rapidjson::Document all_;
    std::string note_, authority_, response_;
    Digest digest_;
};

template <typename Body>
bool refuses(Body &&body) {
    try {
        body();
    } catch (const Error &) {
        return true;
    }
    return false;
}

}  // namespace

TEST_F(AnchorVectors, AnchoredBytesAndTheirName) {
    const NoteKey log = parse_note_key(all_["log_vkey"].GetString());
    const std::string cosigned = all_["cosigned"].GetString();
    EXPECT_EQ(anchored_note(parse_note(cosigned), log), note_);
    EXPECT_EQ(anchored_note(parse_note(note_), log), note_);
    EXPECT_TRUE(refuses([&] { anchored_note(parse_note(note_), renamed(log, "another")); }));
    EXPECT_EQ(anchor_name(parse_checkpoint(parse_note(note_).text)), all_["name"].GetString());
}

TEST_F(AnchorVectors, StampIsReadAndVerified) {
    const Timestamp stamp = open_timestamp(as_bytes(response_), digest_, authority_);
    EXPECT_EQ(stamp.seconds, all_["seconds"].GetInt64());
    EXPECT_EQ(stamp.serial, all_["serial"].GetString());
    const std::string both = authority_ + bytes(all_["other_authority"]);
    EXPECT_EQ(count_authorities(authority_), 1U);
    EXPECT_EQ(count_authorities(both), 2U);
    EXPECT_EQ(open_timestamp(as_bytes(response_), digest_, both).seconds, stamp.seconds);
    EXPECT_EQ(read_timestamp(as_bytes(response_), digest_).seconds, stamp.seconds);
    // Trusted or not, it is a stamp over these bytes alone.
    EXPECT_TRUE(refuses([&] { read_timestamp(as_bytes(response_), sha256({})); }));
}

TEST_F(AnchorVectors, StampAnswersItsRequestOnly) {
    const std::string own = bytes(all_["request"]), other = bytes(all_["other_request"]);
    EXPECT_NO_THROW(open_timestamp(as_bytes(response_), digest_, authority_, as_bytes(own)));
    EXPECT_TRUE(refuses(
        [&] { open_timestamp(as_bytes(response_), digest_, authority_, as_bytes(other)); }));
    EXPECT_TRUE(refuses(
        [&] { open_timestamp(as_bytes(response_), digest_, authority_, as_bytes("no request")); }));
}

TEST_F(AnchorVectors, RefusesWhatIsNone) {
    for (const auto &refused : all_["refused"].GetArray()) {
        const std::string response = bytes(refused["response"]), about = bytes(refused["note"]),
                          authority = bytes(refused["authority"]);
        EXPECT_TRUE(refuses([&] {
            open_timestamp(as_bytes(response), sha256(as_bytes(about)), authority);
        })) << refused["name"].GetString();
    }
}

// Whatever byte of a response is changed (here one in five): it is refused, or says what it said.
TEST_F(AnchorVectors, AChangedByteIsRefusedOrSaysTheSame) {
    const Timestamp right = open_timestamp(as_bytes(response_), digest_, authority_);
    size_t refused = 0, changed_bytes = 0;
    for (size_t at = 0; at < response_.size(); at += 5, ++changed_bytes) {
        std::string changed = response_;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        try {
            const Timestamp stamp = open_timestamp(as_bytes(changed), digest_, authority_);
            EXPECT_EQ(stamp.seconds, right.seconds) << at;
            EXPECT_EQ(stamp.serial, right.serial) << at;
        } catch (const Error &) {
            ++refused;
        }
    }
    EXPECT_GT(refused, changed_bytes * 9 / 10);
}

TEST(Timestamp, RequestsDifferByTheirNonce) {
    const std::string one = timestamp_request(sha256({})), two = timestamp_request(sha256({}));
    EXPECT_EQ(one.size(), two.size());
    EXPECT_NE(one, two);
    EXPECT_LE(one.size(), kMaxTimestampRequestBytes);
}

TEST(Timestamp, AuthoritiesAreCertificates) {
    EXPECT_TRUE(refuses([] { count_authorities(""); }));
    EXPECT_TRUE(refuses([] { count_authorities("nonsense"); }));
    EXPECT_TRUE(refuses([] {
        count_authorities("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    }));
    EXPECT_TRUE(refuses([] { count_authorities(std::string(kMaxAuthorityBytes + 1, '\n')); }));
}
