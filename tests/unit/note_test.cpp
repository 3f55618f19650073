// SPDX-License-Identifier: Apache-2.0
#include "core/note.hpp"

#include "bytes_of.hpp"
#include "core/checkpoint.hpp"
#include "core/encoding.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

// The key pair of Go's golang.org/x/mod/sumdb/note tests: published, for tests only.
constexpr const char *kGoKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr const char *kGoSeed =
    "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";  // type byte, then the seed
constexpr const char *kGoText =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your "
    "problem is.\n";
constexpr const char *kGoSignature =
    "\xE2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/"
    "SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

Key32 go_seed() {
    uint8_t bytes[33];
    from_base64(kGoSeed, bytes);
    return Key32(ByteView(bytes + 1, 32));
}

// Origin PeterNeumann, the eight leaves that RFC 6962 implementations share, cosigned once.
constexpr const char *kCheckpointNote =
    "PeterNeumann\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n"
    "\xE2\x80\x94 PeterNeumann "
    "x08gozdSgLMzAnw63LH1RGViJhUfW60EUGKY7Kmr004fQNOSqfrcd1hIk3BCtdcLWIqvGtX67sL24VN+44uTlxMnbAA=\n"
    "\xE2\x80\x94 witness.example/w1 "
    "zJpwRAAAAABkGFDL0qJDVhmsFvEaOoF8wkSZ00i3ArMLUuMZSPTac+XvVhNjD1MhD2UgV5R/"
    "fkDdeq45yGx8EZB3ujphEwI3oF9bBQ==\n";

}  // namespace

TEST(Note, SignsWhatGoSigns) {
    const Key32 seed = go_seed();
    const NoteKey key = parse_note_key(kGoKey);
    EXPECT_EQ(format_note_key(key), kGoKey);
    EXPECT_EQ(format_note_key(note_key_of("PeterNeumann", NoteKeyType::ed25519, seed)), kGoKey);
    EXPECT_EQ(sign_note(kGoText, key, seed), kGoSignature);
    const std::string note = std::string(kGoText) + "\n" + kGoSignature;
    EXPECT_TRUE(note_is_signed(parse_note(note), key));
}

TEST(Note, KeyOfTheSpecification) {
    const NoteKey key =
        parse_note_key("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
    EXPECT_EQ(key.name, "example.com/foo");
}

TEST(Note, CosignatureCarriesItsTime) {
    const Key32 seed = go_seed();
    const NoteKey witness =
        note_key_of("witness.example/w1", NoteKeyType::ed25519_cosignature, seed);
    const Note note = parse_note(kCheckpointNote);
    EXPECT_TRUE(note_is_signed(note, parse_note_key(kGoKey)));
    uint64_t time = 0;
    EXPECT_TRUE(note_is_signed(note, witness, &time));
    EXPECT_EQ(time, 1679315147u);
    const std::string line = cosign_note(note.text, witness, seed, 1679315147);
    EXPECT_NE(std::string(kCheckpointNote).find(line), std::string::npos);
    EXPECT_THROW(sign_note(note.text, witness, seed), Error);
}

TEST(Note, EveryChangedByteIsNoticed) {
    const NoteKey key = parse_note_key(kGoKey);
    const std::string good = std::string(kGoText) + "\n" + kGoSignature;
    for (size_t at = 0; at < good.size(); ++at) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        bool accepted = false;
        try {
            accepted = note_is_signed(parse_note(bad), key);
        } catch (const Error &) {
        }
        EXPECT_FALSE(accepted) << at;
    }
}

TEST(Note, RefusesMalformed) {
    for (const std::string &bad :
         {std::string(), std::string("text"), std::string("text\n"), std::string("text\n\n"),
          std::string("text\n\nno dash\n"), std::string("te\x01xt\n\n") + kGoSignature,
          std::string("text\n\n") + "\xE2\x80\x94 name\n",
          std::string("text\n\n") + "\xE2\x80\x94 na+me AAAAAAAA\n",
          std::string("text\n\n") + "\xE2\x80\x94 name AAAA\n",
          (std::string("text\n\n") + kGoSignature).substr(0, 60)})
        EXPECT_THROW(parse_note(bad), Error) << bad;
    for (const char *bad : {"", "name", "name+c74f20a3",
                            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                            "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                            "PeterNeumann+c74f20a3+ARpc"})
        EXPECT_THROW(parse_note_key(bad), Error) << bad;
}

TEST(Checkpoint, ReadsWhatItWrites) {
    const Note note = parse_note(kCheckpointNote);
    const Checkpoint checkpoint = parse_checkpoint(note.text);
    EXPECT_EQ(checkpoint.origin, "PeterNeumann");
    EXPECT_EQ(checkpoint.size, 8u);
    EXPECT_EQ(format_checkpoint(checkpoint), note.text);
    for (const char *bad :
         {"", "o\n", "o\n8\n", "\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n",
          "o\n08\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n",
          "o\n-8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n",
          "o\n18446744073709551616\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n", "o\n8\nXcna\n",
          "o\n0\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n",
          "o\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\nmore\n"})
        EXPECT_THROW(parse_checkpoint(bad), Error) << bad;
}

// Leaf 5 of the tree above, its proof, and the checkpoint: one file that needs nothing else.
TEST(Checkpoint, ProofFileStandsAlone) {
    const char *hashes[] = {"vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
                            "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
                            "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc="};
    Proof proof(3);
    for (size_t i = 0; i < 3; ++i) from_base64(hashes[i], proof[i].bytes);
    const std::string text = format_proof_file(5, proof, kCheckpointNote);
    const ProofFile file = parse_proof_file(text);
    const Checkpoint checkpoint = parse_checkpoint(parse_note(file.checkpoint).text);
    const uint8_t leaf[] = {0x40, 0x41, 0x42, 0x43};
    EXPECT_TRUE(verify_inclusion(file.index, checkpoint.size, merkle_leaf(leaf), file.proof,
                                 checkpoint.root));
    EXPECT_FALSE(
        verify_inclusion(4, checkpoint.size, merkle_leaf(leaf), file.proof, checkpoint.root));
    EXPECT_EQ(format_proof_file(file.index, file.proof, file.checkpoint), text);
    for (const std::string &bad : {std::string("c2sp.org/tlog-proof@v2\n"), text.substr(0, 40),
                                   std::string("c2sp.org/tlog-proof@v1\nindex x\n\n")})
        EXPECT_THROW(parse_proof_file(bad), Error);
}
