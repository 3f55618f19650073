// SPDX-License-Identifier: Apache-2.0
#include "core/receipt.hpp"

#include <rapidjson/document.h>

#include <fstream>
#include <sstream>

#include "bytes_of.hpp"
#include "core/entry.hpp"
#include "core/note.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

const rapidjson::Document &vectors() {
    static const rapidjson::Document document = [] {
        std::ifstream file(AEGIS_VECTORS "/receipt_v1.json");
        std::stringstream text;
        text << file.rdbuf();
        rapidjson::Document read;
        read.Parse(text.str().c_str());
        EXPECT_FALSE(read.HasParseError());
        return read;
    }();
    return document;
}

std::string str(const char *member) {
    return vectors()[member].GetString();
}

Digest digest(const rapidjson::Value &value) {
    Digest out{};
    const Bytes bytes = from_hex(value.GetString());
    EXPECT_EQ(bytes.size(), kDigestBytes);
    memcpy(out.bytes, bytes.data(), bytes.size());
    return out;
}

// Why a reader with this key and origin refuses; empty when it accepts.
std::string refusal(const std::string &text, const std::string &origin = str("origin")) {
    try {
        const Receipt receipt = parse_receipt(text);
        const Note note = parse_note(receipt.note);
        const Checkpoint checkpoint = parse_checkpoint(note.text);
        if (!note_is_signed(note, parse_note_key(str("vkey")))) return "not signed";
        if (checkpoint.origin != origin) return "another log";
        return verify_receipt(receipt, checkpoint) ? "" : "not covered";
    } catch (const Error &error) {
        return error.message;
    }
}

Receipt good() {
    return parse_receipt(str("receipt"));
}

Checkpoint checkpoint_of(const Receipt &receipt) {
    return parse_checkpoint(parse_note(receipt.note).text);
}

}  // namespace

TEST(Receipt, ReadsWhatAnIndependentImplementationWrote) {
    const rapidjson::Value &fields = vectors()["fields"];
    const Receipt receipt = good();
    EXPECT_EQ(to_hex(as_bytes(receipt.body)), fields["body"].GetString());
    EXPECT_EQ(receipt.leaf, fields["leaf"].GetUint64());
    EXPECT_EQ(receipt.size, fields["size"].GetUint64());
    EXPECT_EQ(receipt.index, fields["index"].GetUint64());
    EXPECT_EQ(to_hex(ByteView(receipt.log_id)), fields["log_id"].GetString());
    EXPECT_EQ(receipt.note, fields["note"].GetString());
    ASSERT_EQ(receipt.path.size(), fields["path"].Size());
    for (unsigned i = 0; i < fields["path"].Size(); ++i)
        EXPECT_TRUE(receipt.path[i] == digest(fields["path"][i]));
    EXPECT_EQ(format_receipt(receipt), str("receipt"));

    Digest root, head;
    ASSERT_TRUE(receipt_head(receipt, &root, &head));
    EXPECT_TRUE(root == digest(vectors()["log_root"]));
    EXPECT_TRUE(head == digest(vectors()["head"]));
    EXPECT_TRUE(head == merkle_leaf(view(from_hex(str("head_data")))));
    EXPECT_EQ(refusal(str("receipt")), "");
    EXPECT_EQ(decode_entry(as_bytes(receipt.body)).target_id, "43");
}

TEST(Receipt, RefusesWhatTheIndependentImplementationRefuses) {
    EXPECT_GT(vectors()["refused"].Size(), 40u);
    for (const auto &v : vectors()["refused"].GetArray())
        EXPECT_NE(refusal(v["receipt"].GetString()), "") << v["name"].GetString();
    EXPECT_EQ(refusal(str("receipt"), "aegis.example/other"), "another log");
}

TEST(Receipt, RefusesEveryTruncationAndEveryChangedByte) {
    const std::string text = str("receipt");
    for (size_t size = 0; size < text.size(); ++size)
        ASSERT_NE(refusal(text.substr(0, size)), "") << size;
    for (size_t at = 0; at < text.size(); ++at)
        for (const char change : {0x01, 0x20}) {
            std::string changed = text;
            changed[at] = static_cast<char>(changed[at] ^ change);
            ASSERT_NE(refusal(changed), "") << at;
        }
    EXPECT_NE(refusal(text + "\n"), "");
    EXPECT_NE(refusal(" " + text), "");
}

// What a dishonest server could try with a real checkpoint.
TEST(Receipt, ProvesNothingElse) {
    const Checkpoint checkpoint = checkpoint_of(good());
    const auto covered = [&](auto &&change) {
        Receipt receipt = good();
        change(receipt);
        return verify_receipt(receipt, checkpoint);
    };
    EXPECT_TRUE(covered([](Receipt &) {}));
    for (uint64_t leaf = 0; leaf < 40; ++leaf)
        for (uint64_t size = 1; size < 40; ++size)
            ASSERT_EQ(covered([&](Receipt &r) { r.leaf = leaf, r.size = size; }),
                      leaf == 3 && size == 5)
                << leaf << " " << size;
    for (uint64_t index = 0; index < 40; ++index)
        ASSERT_EQ(covered([&](Receipt &r) { r.index = index; }), index == 4) << index;
    for (size_t bit = 0; bit < 256; ++bit)
        ASSERT_FALSE(covered(
            [&](Receipt &r) { r.log_id[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8)); }));
    // A head, an inner node or another leaf presented as the entry.
    EXPECT_FALSE(covered([](Receipt &r) {
        const Bytes data = from_hex(str("head_data"));
        r.body.assign(data.begin(), data.end());
        r.leaf = 0, r.size = 1, r.path.clear();
    }));
    EXPECT_FALSE(covered([](Receipt &r) { r.path.insert(r.path.begin(), leaf_hash({})); }));
    EXPECT_FALSE(covered([](Receipt &r) { r.path.swap(r.root_path); }));
    EXPECT_FALSE(covered([](Receipt &r) { r.path.resize(64); }));
    EXPECT_FALSE(covered([](Receipt &r) { r.root_path.resize(64); }));
    Receipt receipt = good();
    for (uint64_t size = 1; size < 40; ++size) {
        Checkpoint other = checkpoint;
        other.size = size;
        ASSERT_EQ(verify_receipt(receipt, other), size == checkpoint.size) << size;
    }
}

TEST(Receipt, AProofFileWithoutAnExtraIsNone) {
    const Receipt receipt = good();
    EXPECT_TRUE(is_receipt(str("receipt")));
    const std::string plain = format_proof_file(receipt.index, receipt.root_path, receipt.note);
    EXPECT_FALSE(is_receipt(plain));
    expect_error(Code::malformed, [&] { parse_receipt(plain); });
    EXPECT_EQ(parse_proof_file(str("receipt")).index, receipt.index);
}
