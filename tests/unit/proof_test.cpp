// SPDX-License-Identifier: Apache-2.0
#include "core/proof.hpp"

#include <rapidjson/document.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "bytes_of.hpp"
#include "core/checkpoint.hpp"
#include "core/note.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

// Every complete subtree is computed anew from the leaves: slow and plain.
class Leaves : public NodeSource {
 public:
    explicit Leaves(size_t count) {
        for (size_t i = 0; i < count; ++i)
            leaves_.push_back(merkle_leaf(as_bytes("leaf " + std::to_string(i))));
    }
    Digest node(unsigned level, uint64_t index) override {
        if (level == 0) return leaves_.at(index);
        return merkle_node(node(level - 1, 2 * index), node(level - 1, 2 * index + 1));
    }
    Digest root(size_t size) {
        Frontier frontier;
        for (size_t i = 0; i < size; ++i) frontier.append(leaves_[i]);
        return frontier.root();
    }
    const Digest &leaf(size_t i) const { return leaves_[i]; }

 private:
    std::vector<Digest> leaves_;
};

}  // namespace

TEST(Proof, EveryLeafOfEverySmallTree) {
    Leaves leaves(70);
    for (uint64_t size = 1; size <= 70; ++size)
        for (uint64_t index = 0; index < size; ++index) {
            const Proof proof = inclusion_proof(leaves, index, size);
            ASSERT_TRUE(verify_inclusion(index, size, leaves.leaf(index), proof, leaves.root(size)))
                << size << " " << index;
            ASSERT_FALSE(verify_inclusion(index, size, leaves.leaf((index + 1) % 70), proof,
                                          leaves.root(size)));
            if (size > 1) {
                ASSERT_FALSE(verify_inclusion((index + 1) % size, size, leaves.leaf(index), proof,
                                              leaves.root(size)));
            }
        }
}

TEST(Proof, EveryPairOfSmallTrees) {
    Leaves leaves(40);
    for (uint64_t second = 1; second <= 40; ++second)
        for (uint64_t first = 1; first <= second; ++first) {
            const Proof proof = consistency_proof(leaves, first, second);
            ASSERT_TRUE(
                verify_consistency(first, second, proof, leaves.root(first), leaves.root(second)));
            if (first == second) continue;
            ASSERT_FALSE(
                verify_consistency(first, second, proof, leaves.root(second), leaves.root(second)));
            ASSERT_FALSE(
                verify_consistency(first, second, proof, leaves.root(first), leaves.root(first)));
        }
}

// Each hash of a proof matters, and none may be missing or added.
TEST(Proof, AnyChangeIsRefused) {
    Leaves leaves(25);
    const Digest root = leaves.root(25), old_root = leaves.root(11);
    Proof inclusion = inclusion_proof(leaves, 17, 25),
          consistency = consistency_proof(leaves, 11, 25);
    for (size_t at = 0; at < inclusion.size(); ++at) {
        Proof changed = inclusion;
        changed[at].bytes[at % 32] ^= 1;
        EXPECT_FALSE(verify_inclusion(17, 25, leaves.leaf(17), changed, root));
        changed = inclusion;
        changed.erase(changed.begin() + static_cast<long>(at));
        EXPECT_FALSE(verify_inclusion(17, 25, leaves.leaf(17), changed, root));
    }
    for (size_t at = 0; at < consistency.size(); ++at) {
        Proof changed = consistency;
        changed[at].bytes[at % 32] ^= 1;
        EXPECT_FALSE(verify_consistency(11, 25, changed, old_root, root));
        changed = consistency;
        changed.erase(changed.begin() + static_cast<long>(at));
        EXPECT_FALSE(verify_consistency(11, 25, changed, old_root, root));
    }
    inclusion.push_back(root);
    consistency.push_back(root);
    EXPECT_FALSE(verify_inclusion(17, 25, leaves.leaf(17), inclusion, root));
    EXPECT_FALSE(verify_consistency(11, 25, consistency, old_root, root));
}

TEST(Proof, RefusesWhatIsNotInTheTree) {
    Leaves leaves(8);
    EXPECT_THROW(inclusion_proof(leaves, 8, 8), Error);
    EXPECT_THROW(inclusion_proof(leaves, 0, 0), Error);
    EXPECT_THROW(consistency_proof(leaves, 0, 8), Error);
    EXPECT_THROW(consistency_proof(leaves, 8, 7), Error);
    EXPECT_FALSE(verify_inclusion(0, 0, leaves.leaf(0), {}, merkle_empty_root()));
    EXPECT_FALSE(verify_consistency(0, 0, {}, merkle_empty_root(), merkle_empty_root()));
    EXPECT_FALSE(verify_consistency(2, 1, {}, leaves.root(2), leaves.root(1)));
}

namespace {

void load(const char *path, rapidjson::Document *document) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    document->Parse(text.str().c_str());
    ASSERT_FALSE(document->HasParseError());
}

}  // namespace

// What an independent implementation proved and signed.
TEST(Proof, VectorsVerify) {
    const auto digest = [](const rapidjson::Value &value) {
        Digest out{};
        const Bytes bytes = from_hex(value.GetString());
        EXPECT_EQ(bytes.size(), kDigestBytes);
        memcpy(out.bytes, bytes.data(), bytes.size());
        return out;
    };
    const auto proof = [&](const rapidjson::Value &list) {
        Proof out;
        for (const auto &hash : list.GetArray()) out.push_back(digest(hash));
        return out;
    };
    rapidjson::Document all;
    load(AEGIS_VECTORS "/proof_v1.json", &all);
    const auto root = [&](unsigned size) { return digest(all["root"][size - 1]["root"]); };
    for (const auto &v : all["inclusion"].GetArray())
        EXPECT_TRUE(verify_inclusion(v["index"].GetUint(), v["size"].GetUint(), digest(v["leaf"]),
                                     proof(v["proof"]), root(v["size"].GetUint())));
    for (const auto &v : all["consistency"].GetArray())
        EXPECT_TRUE(verify_consistency(v["first"].GetUint(), v["second"].GetUint(),
                                       proof(v["proof"]), root(v["first"].GetUint()),
                                       root(v["second"].GetUint())));
    EXPECT_EQ(all["inclusion"].Size() + all["consistency"].Size(), 72u);

    rapidjson::Document signed_one;
    load(AEGIS_VECTORS "/checkpoint_v1.json", &signed_one);
    const rapidjson::Value &v = signed_one;
    const NoteKey key = parse_note_key(v["vkey"].GetString());
    EXPECT_EQ(to_hex(ByteView(key.public_key)), v["public_key"].GetString());
    EXPECT_EQ(to_hex(ByteView(key.id)), v["key_id"].GetString());
    const std::string note = v["note"].GetString(), text = v["text"].GetString();
    EXPECT_TRUE(note_is_signed(parse_note(note), key));
    const Key32 seed(view(from_hex(v["seed"].GetString())));
    EXPECT_EQ(text + "\n" + sign_note(text, key, seed), note);
    EXPECT_EQ(format_checkpoint(parse_checkpoint(text)), text);
    const std::string file_text = v["proof_file"].GetString();
    const ProofFile file = parse_proof_file(file_text);
    EXPECT_EQ(format_proof_file(file.index, file.proof, file.checkpoint), file_text);
    EXPECT_TRUE(verify_inclusion(file.index, 8, merkle_leaf(view(from_hex(v["entry"].GetString()))),
                                 file.proof, digest(v["root"])));
}

namespace {

// False for what is no hash at all: nobody could give it to the functions.
bool read_hash(const rapidjson::Value &text, Digest *out) {
    const Bytes bytes = from_hex(text.GetString());
    if (bytes.size() != kDigestBytes) return false;
    std::copy(bytes.begin(), bytes.end(), out->bytes);
    return true;
}

struct Published {
    bool well_formed = true;
    Proof proof;
    std::vector<Digest> hashes;  // of the named members
};

Published read_published(const rapidjson::Value &v, std::initializer_list<const char *> names) {
    Published out;
    Digest hash{};
    for (const char *name : names) {
        out.well_formed = read_hash(v[name], &hash) && out.well_formed;
        out.hashes.push_back(hash);
    }
    for (const auto &text : v["proof"].GetArray()) {
        out.well_formed = read_hash(text, &hash) && out.well_formed;
        out.proof.push_back(hash);
    }
    return out;
}

}  // namespace

TEST(Proof, PublishedVectors) {
    unsigned verified = 0, refused = 0, malformed = 0;
    const auto expect = [&](const rapidjson::Value &v, const Published &given, bool good) {
        EXPECT_EQ(good, v["holds"].GetBool()) << v["name"].GetString();
        ++(good ? verified : given.well_formed ? refused : malformed);
    };
    rapidjson::Document all;
    load(AEGIS_VECTORS "/proof_published.json", &all);
    for (const auto &v : all["inclusion"].GetArray()) {
        const Published given = read_published(v, {"leaf", "root"});
        expect(
            v, given,
            given.well_formed && verify_inclusion(v["index"].GetUint64(), v["size"].GetUint64(),
                                                  given.hashes[0], given.proof, given.hashes[1]));
    }
    for (const auto &v : all["consistency"].GetArray()) {
        const Published given = read_published(v, {"first_root", "second_root"});
        expect(
            v, given,
            given.well_formed && verify_consistency(v["first"].GetUint64(), v["second"].GetUint64(),
                                                    given.proof, given.hashes[0], given.hashes[1]));
    }
    EXPECT_EQ(verified, 9u);
    EXPECT_EQ(refused, 15u);
    EXPECT_EQ(malformed, 5u);
}
