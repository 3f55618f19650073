// SPDX-License-Identifier: Apache-2.0
// Published families of changed proofs and malformed notes (tests/independent/generate_refusals.py
// makes them): what other implementations refuse, the core library refuses too.
#include <rapidjson/document.h>

#include <fstream>
#include <sstream>

#include "bytes_of.hpp"
#include "core/checkpoint.hpp"
#include "core/encoding.hpp"
#include "core/note.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

rapidjson::Document load(const char *path) {
    rapidjson::Document document;
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    document.Parse(text.str().c_str());
    EXPECT_FALSE(document.HasParseError());
    return document;
}

std::string text_of(const rapidjson::Value &hex) {
    const Bytes bytes = from_hex(hex.GetString());
    return {bytes.begin(), bytes.end()};
}

uint64_t number(const rapidjson::Value &text) {
    return std::stoull(text.GetString());
}

std::string base64(const std::string &bytes) {
    std::string text(base64_size(bytes.size()), '\0');
    to_base64(as_bytes(bytes), text.data());
    return text;
}

// Hashes as they come in a proof file: those of another length do not get past the parser, and an
// empty one would end the proof, so that the file has no note.
Proof proof_of(const rapidjson::Value &list) {
    std::string file = "c2sp.org/tlog-proof@v1\nindex 0\n";
    for (const auto &hash : list.GetArray()) file += base64(text_of(hash)) + "\n";
    const std::string whole = file + "\nnote";
    const ProofFile parsed = parse_proof_file(whole);
    if (parsed.checkpoint != "note") throw Error{Code::malformed, "no note"};
    return parsed.proof;
}

Digest root_of(const rapidjson::Value &hex) {
    return parse_checkpoint("log\n1\n" + base64(text_of(hex)) + "\n").root;
}

std::string said_of(const std::string &note, const NoteKey &key) {
    try {
        return note_is_signed(parse_note(note), key) ? "signed" : "unsigned";
    } catch (const Error &) {
        return "refused";
    }
}

}  // namespace

TEST(Refusal, ChangedInclusionProofs) {
    const rapidjson::Document all = load(AEGIS_VECTORS "/proof_v1.json");
    unsigned count = 0;
    for (const auto &v : all["refused_inclusion"].GetArray()) {
        bool accepted = false;
        try {
            accepted = verify_inclusion(number(v["index"]), number(v["size"]), root_of(v["leaf"]),
                                        proof_of(v["proof"]), root_of(v["root"]));
        } catch (const Error &) {
        }
        EXPECT_FALSE(accepted) << v["name"].GetString();
        ++count;
    }
    EXPECT_GT(count, 80u);
}

TEST(Refusal, ChangedConsistencyProofs) {
    const rapidjson::Document all = load(AEGIS_VECTORS "/proof_v1.json");
    unsigned count = 0;
    for (const auto &v : all["refused_consistency"].GetArray()) {
        bool accepted = false;
        try {
            accepted =
                verify_consistency(number(v["first"]), number(v["second"]), proof_of(v["proof"]),
                                   root_of(v["first_root"]), root_of(v["second_root"]));
        } catch (const Error &) {
        }
        EXPECT_FALSE(accepted) << v["name"].GetString();
        ++count;
    }
    EXPECT_GT(count, 80u);
}

TEST(Refusal, Notes) {
    const rapidjson::Document all = load(AEGIS_VECTORS "/checkpoint_v1.json");
    const NoteKey key = parse_note_key(all["known_key"].GetString());
    unsigned refused = 0;
    for (const auto &v : all["notes"].GetArray()) {
        EXPECT_EQ(said_of(text_of(v["note"]), key), v["result"].GetString())
            << v["name"].GetString();
        refused += std::string(v["result"].GetString()) == "refused";
    }
    EXPECT_GT(refused, 25u);
}

// No part of a key is a key, nor is a key with another character somewhere.
TEST(Refusal, Keys) {
    const rapidjson::Document all = load(AEGIS_VECTORS "/checkpoint_v1.json");
    for (const auto &v : all["keys"].GetArray()) {
        const std::string good = v.GetString();
        EXPECT_EQ(format_note_key(parse_note_key(good)), good);
        for (size_t from = 0; from < good.size(); ++from)
            for (size_t size = 1; from + size <= good.size(); ++size)
                if (size < good.size()) {
                    EXPECT_TRUE(refused([&] { parse_note_key(good.substr(from, size)); }))
                        << good.substr(from, size);
                }
        for (size_t at = 0; at < good.size(); ++at) {
            std::string bad = good;
            ++bad[at];
            EXPECT_TRUE(refused([&] { parse_note_key(bad); })) << bad;
        }
    }
    for (const auto &v : all["refused_keys"].GetArray())
        EXPECT_TRUE(refused([&] { parse_note_key(v.GetString()); })) << v.GetString();
}
