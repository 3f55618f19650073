// SPDX-License-Identifier: Apache-2.0
#include "core/merkle.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

// RFC 6962 section 2.1, word for word.
Digest tree_hash(const std::vector<Digest> &leaves, size_t from, size_t to) {
    if (from == to) return merkle_empty_root();
    if (to - from == 1) return leaves[from];
    size_t k = 1;
    while (k * 2 < to - from) k *= 2;
    return merkle_node(tree_hash(leaves, from, from + k), tree_hash(leaves, from + k, to));
}

std::string hex(const Digest &digest) {
    return to_hex(digest.view());
}

}  // namespace

// The leaves and roots that transparency-dev/merkle and RFC 6962 implementations share.
TEST(Merkle, Rfc6962Roots) {
    const char *leaves[] = {"",
                            "00",
                            "10",
                            "2021",
                            "3031",
                            "40414243",
                            "5051525354555657",
                            "606162636465666768696a6b6c6d6e6f"};
    const char *roots[] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                           "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                           "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                           "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                           "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                           "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                           "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                           "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                           "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    Frontier frontier;
    EXPECT_EQ(hex(frontier.root()), roots[0]);
    for (int i = 0; i < 8; ++i) {
        frontier.append(merkle_leaf(view(from_hex(leaves[i]))));
        EXPECT_EQ(hex(frontier.root()), roots[i + 1]);
    }
}

TEST(Merkle, DomainsAreSeparated) {
    EXPECT_EQ(hex(merkle_leaf(as_bytes("L123456"))),
              "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
    // node("N123", "N456") of transparency-dev has short children; ours always has digests.
    const Digest left = merkle_leaf(as_bytes("l")), right = merkle_leaf(as_bytes("r"));
    Bytes both = bytes_of(left.view());
    both.insert(both.end(), right.bytes, right.bytes + kDigestBytes);
    EXPECT_NE(hex(merkle_node(left, right)), hex(merkle_leaf(view(both))));
    EXPECT_NE(hex(merkle_node(left, right)), hex(merkle_node(right, left)));
    both.insert(both.begin(), 1);
    EXPECT_EQ(hex(merkle_node(left, right)), hex(sha256(view(both))));
}

TEST(Merkle, FrontierAgreesWithTheRecursionUpTo300) {
    std::vector<Digest> leaves;
    Frontier frontier;
    for (size_t size = 1; size <= 300; ++size) {
        uint8_t data[8];
        put_u64(data, size);
        leaves.push_back(merkle_leaf(data));
        frontier.append(leaves.back());
        ASSERT_EQ(frontier.size, size);
        ASSERT_EQ(hex(frontier.root()), hex(tree_hash(leaves, 0, size)));

        Bytes encoded(frontier_size(frontier));
        encode_frontier(frontier, span(encoded));
        const Frontier back = decode_frontier(view(encoded));
        ASSERT_EQ(back.size, size);
        ASSERT_EQ(hex(back.root()), hex(frontier.root()));
        for (size_t cut = 0; cut < encoded.size(); cut += 5)
            ASSERT_TRUE(refused([&] { decode_frontier({encoded.data(), cut}); }));
        encoded.push_back(0);
        ASSERT_TRUE(refused([&] { decode_frontier(view(encoded)); }));
    }
}

TEST(Merkle, FrontierKnowsItsLimits) {
    Frontier frontier;
    Bytes empty(8);
    encode_frontier(frontier, span(empty));
    EXPECT_EQ(to_hex(view(empty)), "0000000000000000");
    EXPECT_EQ(decode_frontier(view(empty)).size, 0u);

    Bytes full(8 + 64 * kDigestBytes, 0xff);
    frontier = decode_frontier(view(full));
    EXPECT_EQ(frontier.size, UINT64_MAX);
    expect_error(Code::too_long, [&] { frontier.append(merkle_empty_root()); });
    EXPECT_EQ(frontier.count, 64);

    Bytes nearly(8 + 63 * kDigestBytes, 0xff);
    nearly[7] = 0xfe;
    frontier = decode_frontier(view(nearly));
    frontier.append(merkle_empty_root());
    EXPECT_EQ(frontier.count, 64);

    Bytes wrong(9);
    expect_error(Code::invalid_argument, [&] { encode_frontier(Frontier{}, span(wrong)); });
}
