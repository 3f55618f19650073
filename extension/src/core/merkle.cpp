// SPDX-License-Identifier: Apache-2.0
#include "core/merkle.hpp"

#include "core/error.hpp"

namespace aegis::core {

namespace {

// A message up to this size is put together first: a prefix hashed on its own makes everything
// after it straddle the blocks of the hash, and every further part costs a call.
constexpr size_t kTogether = 1024;

uint8_t complete_subtrees(uint64_t size) {
    uint8_t count = 0;
    for (; size; size &= size - 1) ++count;
    return count;
}

}  // namespace

Digest merkle_leaf(ByteView data) {
    uint8_t message[kTogether];
    message[0] = 0x00;
    if (data.size >= sizeof message) return sha256({message, 1}, data);
    if (data.size) memcpy(message + 1, data.data, data.size);
    return sha256({message, 1 + data.size});
}

Digest merkle_node(const Digest &left, const Digest &right) {
    uint8_t message[1 + 2 * kDigestBytes];
    message[0] = 0x01;
    memcpy(message + 1, left.bytes, kDigestBytes);
    memcpy(message + 1 + kDigestBytes, right.bytes, kDigestBytes);
    return sha256(message);
}

Digest merkle_empty_root() {
    return sha256(ByteView());
}

int Frontier::append(const Digest &leaf, TreeNode *completed) {
    if (size == UINT64_MAX) throw Error{Code::too_long, "the tree is full"};
    Digest node = leaf;
    uint8_t kept = count, level = 0;
    int nodes = 0;
    for (uint64_t s = size; s & 1; s >>= 1) {
        node = merkle_node(hashes[--kept], node);
        if (++level % kTileHeight != 0) continue;
        if (completed != nullptr) completed[nodes] = {level, s >> 1, node};
        ++nodes;
    }
    hashes[kept] = node;
    count = static_cast<uint8_t>(kept + 1);
    ++size;
    return nodes;
}

Digest Frontier::root() const {
    if (count == 0) return merkle_empty_root();
    Digest node = hashes[count - 1];
    for (int i = count - 2; i >= 0; --i) node = merkle_node(hashes[i], node);
    return node;
}

size_t frontier_size(const Frontier &frontier) noexcept {
    return 8 + kDigestBytes * frontier.count;
}

void encode_frontier(const Frontier &frontier, ByteSpan out) {
    if (out.size != frontier_size(frontier) || frontier.count != complete_subtrees(frontier.size))
        throw Error{Code::invalid_argument, "wrong size of a frontier"};
    put_u64(out.data, frontier.size);
    for (uint8_t i = 0; i < frontier.count; ++i)
        memcpy(out.data + 8 + kDigestBytes * i, frontier.hashes[i].bytes, kDigestBytes);
}

Frontier decode_frontier(ByteView bytes) {
    if (bytes.size < 8) throw Error{Code::malformed, "not the frontier of a tree"};
    Frontier frontier;
    frontier.size = get_u64(bytes.data);
    frontier.count = complete_subtrees(frontier.size);
    if (bytes.size != frontier_size(frontier))
        throw Error{Code::malformed, "not the frontier of a tree"};
    for (uint8_t i = 0; i < frontier.count; ++i)
        memcpy(frontier.hashes[i].bytes, bytes.data + 8 + kDigestBytes * i, kDigestBytes);
    return frontier;
}

}  // namespace aegis::core
