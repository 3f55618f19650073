// SPDX-License-Identifier: Apache-2.0
#include "core/cosignature.hpp"

#include <rapidjson/document.h>

#include <fstream>
#include <sstream>

#include "bytes_of.hpp"
#include "core/add_checkpoint.hpp"
#include "core/encoding.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

class CosignatureVectors : public ::testing::Test {
 protected:
    void SetUp() override {
        std::ifstream file(AEGIS_VECTORS "/cosignature_v1.json");
        std::stringstream text;
        text << file.rdbuf();
        all_.Parse(text.str().c_str());
        ASSERT_FALSE(all_.HasParseError());
        for (const auto &key : all_["vkeys"].GetArray())
            keys_.push_back(parse_note_key(key.GetString()));
    }
    std::string text(const char *member) const { return all_[member].GetString(); }
    static std::string bytes(const rapidjson::Value &hex) {
        const Bytes raw = from_hex(hex.GetString());
        return {raw.begin(), raw.end()};
    }

    rapidjson::Document all_;
    std::vector<NoteKey> keys_;
};

bool refuses(const std::string &text, const std::string &answer, const NoteKey &key) {
    try {
        take_cosignature(text, answer, key);
    } catch (const Error &) {
        return true;
    }
    return false;
}

}  // namespace

TEST_F(CosignatureVectors, AreMadeHere) {
    for (unsigned i = 0; i < 2; ++i) {
        const Bytes seed = from_hex(all_["seeds"][i].GetString());
        const Key32 key(view(seed));
        EXPECT_EQ(
            format_note_key(note_key_of(keys_[i].name, NoteKeyType::ed25519_cosignature, key)),
            all_["vkeys"][i].GetString());
        EXPECT_EQ(cosign_note(text("text"), keys_[i], key, all_["times"][i].GetUint64()),
                  all_["lines"][i].GetString());
    }
}

TEST_F(CosignatureVectors, AnswersAreTakenOrRefused) {
    for (const auto &v : all_["taken"].GetArray()) {
        const Cosignature made = take_cosignature(text("text"), bytes(v["answer"]), keys_[0]);
        EXPECT_EQ(made.line, all_["lines"][0].GetString()) << v["name"].GetString();
        EXPECT_EQ(made.timestamp, all_["times"][0].GetUint64());
    }
    for (const auto &v : all_["refused"].GetArray())
        EXPECT_TRUE(refuses(text("text"), bytes(v["answer"]), keys_[0])) << v["name"].GetString();
    EXPECT_TRUE(refuses(text("text"), all_["lines"][0].GetString(),
                        parse_note_key(all_["log_vkey"].GetString())));
}

TEST_F(CosignatureVectors, EveryChangedCharacterIsNoticed) {
    const std::string good = all_["lines"][0].GetString();
    for (size_t at = 0; at < good.size(); ++at) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        EXPECT_TRUE(refuses(text("text"), bad, keys_[0])) << at;
    }
}

TEST_F(CosignatureVectors, JoinTheNoteOnce) {
    const std::string one = all_["lines"][0].GetString(), two = all_["lines"][1].GetString();
    EXPECT_EQ(with_signatures(text("note"), one + two), text("cosigned"));
    EXPECT_EQ(with_signatures(with_signatures(text("note"), one), one + two), text("cosigned"));
    EXPECT_EQ(with_signatures(text("note"), ""), text("note"));
    EXPECT_THROW(with_signatures(text("note"), "no line"), Error);
    // The log's own line does not stand there twice.
    const std::string note = text("note");
    EXPECT_EQ(with_signatures(note, note.substr(note.rfind("\n\n") + 2)), note);
}

TEST_F(CosignatureVectors, AreCounted) {
    const std::string cosigned = text("cosigned");
    const std::vector<Cosigner> both = cosigners_of(parse_note(cosigned), keys_);
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[1].witness, 1u);
    EXPECT_EQ(both[1].timestamp, all_["times"][1].GetUint64());
    EXPECT_EQ(cosigners_of(parse_note(text("note")), keys_).size(), 0u);
    std::string forged = cosigned;
    forged[forged.size() - 20] ^= 1;
    EXPECT_THROW(cosigners_of(parse_note(forged), keys_), Error);
}

// What a witness is sent: the same request as the signer's, over the signed note.
TEST_F(CosignatureVectors, TheRequestCarriesTheNote) {
    const std::string request = bytes(all_["request"]);
    const AddCheckpoint read = parse_add_checkpoint(request);
    EXPECT_EQ(read.old, 2u);
    EXPECT_EQ(read.text, text("note"));
    EXPECT_EQ(format_add_checkpoint(read), request);
    EXPECT_EQ(open_checkpoint(read.text, parse_note_key(all_["log_vkey"].GetString())).size, 3u);
}
