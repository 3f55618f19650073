// SPDX-License-Identifier: Apache-2.0
#include "core/add_checkpoint.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

// A log of numbered leaves, with every subtree computed on demand.
class Leaves : public NodeSource {
 public:
    explicit Leaves(std::string salt = "") : salt_(std::move(salt)) {}
    Digest node(unsigned level, uint64_t index) override {
        if (level == 0) return merkle_leaf(as_bytes(salt_ + std::to_string(index)));
        return merkle_node(node(level - 1, 2 * index), node(level - 1, 2 * index + 1));
    }
    Checkpoint head(uint64_t size) {
        Checkpoint head;
        head.origin = "log.example/a";
        head.size = size;
        head.root = size == 0 ? merkle_empty_root() : range_root(*this, 0, size);
        return head;
    }

 private:
    std::string salt_;
};

AddCheckpoint extension(Leaves *log, uint64_t old, uint64_t size) {
    AddCheckpoint request;
    request.old = old;
    if (old > 0 && old < size) request.proof = consistency_proof(*log, old, size);
    return request;
}

}  // namespace

TEST(AddCheckpoint, IsWhatTheSpecificationWrites) {
    Leaves log;
    const std::string text = format_checkpoint(log.head(3));
    AddCheckpoint request = extension(&log, 2, 3);
    request.text = text;
    const std::string body = format_add_checkpoint(request);
    // RFC 9162: the old tree is a complete subtree, so only what is new is missing.
    EXPECT_EQ(body, "old 2\n" + format_hash(log.node(0, 2)) + "\n\n" + text);
    const AddCheckpoint back = parse_add_checkpoint(body);
    EXPECT_EQ(back.old, 2u);
    EXPECT_EQ(back.text, text);
    ASSERT_EQ(back.proof.size(), request.proof.size());
    for (size_t i = 0; i < back.proof.size(); i++) EXPECT_EQ(back.proof[i], request.proof[i]);
}

TEST(AddCheckpoint, SignsEveryExtensionAndNothingElse) {
    Leaves log, other("x");
    for (uint64_t old = 0; old <= 40; old++)
        for (uint64_t size = old; size <= 40; size++) {
            EXPECT_EQ(judge(log.head(old), extension(&log, old, size), log.head(size)),
                      Verdict::sign)
                << old << " to " << size;
            if (old == 0) continue;
            // Another history, with its own valid proof.
            EXPECT_EQ(judge(log.head(old), extension(&other, old, size), other.head(size)),
                      size == old ? Verdict::fork : Verdict::unproven)
                << old << " to " << size;
        }
}

TEST(AddCheckpoint, AnotherSizeIsAConflict) {
    Leaves log;
    EXPECT_EQ(judge(log.head(9), extension(&log, 7, 12), log.head(12)), Verdict::conflict);
    EXPECT_EQ(judge(log.head(9), extension(&log, 0, 12), log.head(12)), Verdict::conflict);
    EXPECT_EQ(judge(log.head(9), extension(&log, 12, 12), log.head(12)), Verdict::conflict);
    // The ledger was cut: it extends a head that lies before the signed one.
    EXPECT_EQ(judge(log.head(9), extension(&log, 5, 8), log.head(8)), Verdict::conflict);
}

TEST(AddCheckpoint, NoHeadShrinks) {
    Leaves log;
    AddCheckpoint request;
    request.old = 9;
    EXPECT_EQ(judge(log.head(9), request, log.head(8)), Verdict::shorter);
    EXPECT_EQ(judge(log.head(0), request, log.head(8)), Verdict::shorter);
}

TEST(AddCheckpoint, AProofThatIsNotNeededIsRefused) {
    Leaves log;
    AddCheckpoint request;
    request.proof = {log.node(0, 0)};
    EXPECT_EQ(judge(log.head(0), request, log.head(4)), Verdict::unproven);
    request.old = 4;
    EXPECT_EQ(judge(log.head(4), request, log.head(4)), Verdict::unproven);
}

TEST(AddCheckpoint, EveryChangedHashIsRefused) {
    Leaves log;
    const AddCheckpoint good = extension(&log, 7, 23);
    for (size_t at = 0; at < good.proof.size(); at++) {
        AddCheckpoint request = good;
        request.proof[at].bytes[at % kDigestBytes] ^= 1;
        EXPECT_EQ(judge(log.head(7), request, log.head(23)), Verdict::unproven);
        request = good;
        request.proof.erase(request.proof.begin() + static_cast<long>(at));
        EXPECT_EQ(judge(log.head(7), request, log.head(23)), Verdict::unproven);
    }
}

TEST(AddCheckpoint, RefusesWhatIsNotARequest) {
    const std::string hash = format_hash(merkle_empty_root());
    std::string many = "old 1\n";
    for (int i = 0; i < 64; i++) many += hash + "\n";
    for (const std::string &body :
         {std::string(), std::string("old 1"), std::string("old 1\n"), std::string("old -1\n\n"),
          std::string("old 01\n\n"), std::string("old 18446744073709551616\n\n"),
          std::string("new 1\n\n"), "old 1\n" + hash.substr(1) + "\n\n", "old 1\n" + hash + " \n\n",
          "old 1\n" + hash, many + "\n", std::string(kMaxAddCheckpointBytes + 1, '\n')})
        EXPECT_THROW(parse_add_checkpoint(body), Error) << body.substr(0, 40);
}
