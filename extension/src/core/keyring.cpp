// SPDX-License-Identifier: Apache-2.0
#include "core/keyring.hpp"

#include "core/encoding.hpp"
#include "core/error.hpp"
#include "core/kdf.hpp"
#include "core/random.hpp"
#include "core/xaes.hpp"

namespace aegis::core {

namespace {

constexpr size_t kSaltBytes = 32;
constexpr std::string_view kWrappedContextLabel = "aegis/wrapped-key/1";

[[noreturn]] void malformed(const char *message) {
    throw Error{Code::malformed, message};
}

std::string_view trim(std::string_view line) {
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    while (!line.empty() && blank(line.front())) line.remove_prefix(1);
    while (!line.empty() && blank(line.back())) line.remove_suffix(1);
    return line;
}

uint32_t parse_version(std::string_view text) {
    uint64_t version = 0;
    for (char c : text) {
        if (c < '0' || c > '9') malformed("a key version is not a number");
        version = version * 10 + static_cast<uint64_t>(c - '0');
        if (version > INT32_MAX) malformed("a key version is too large");
    }
    if (text.empty() || text.front() == '0')
        malformed("a key version is not a number of 1 or more without leading zeros");
    return static_cast<uint32_t>(version);
}

// Inserts in ascending order of versions.
template <typename Ring, typename Key>
void insert(const Key &key, Ring *ring) {
    int at = ring->count;
    while (at > 0 && ring->keys[at - 1].version > key.version) --at;
    if (at > 0 && ring->keys[at - 1].version == key.version)
        malformed("a key version is given twice");
    if (ring->count == kMaxMasterVersions)
        throw Error{Code::too_long, "the key provider delivers more than 8 versions"};
    for (int i = ring->count; i > at; --i) ring->keys[i] = ring->keys[i - 1];
    ring->keys[at] = key;
    ++ring->count;
}

void refuse_constant(const MasterKey &key) {
    uint8_t difference = 0;
    for (uint8_t byte : key.key) difference |= byte ^ key.key[0];
    if (difference == 0) malformed("a key repeats one byte and cannot be random");
}

void add(std::string_view version, std::string_view digits, Keyring *ring) {
    struct Scratch {
        MasterKey key;
        ~Scratch() { wipe(key.key); }
    } scratch;
    scratch.key.version = parse_version(version);
    if (digits.size() != hex_size(kKeyBytes))
        malformed("a key does not have 64 hexadecimal digits");
    from_hex(digits, scratch.key.key);
    refuse_constant(scratch.key);
    insert(scratch.key, ring);
}

void add(std::string_view version, std::string_view digits, WrappedKeyring *ring) {
    WrappedKey key;
    key.version = parse_version(version);
    if (digits.size() != hex_size(kWrappedKeyBytes))
        malformed("a wrapped key does not have 120 hexadecimal digits");
    from_hex(digits, key.bytes);
    insert(key, ring);
}

void missing_colon(const Keyring *) {
    malformed("a key line is not \"version:64 hexadecimal digits\"");
}
void missing_colon(const WrappedKeyring *) {
    malformed("a key line is not \"version:120 hexadecimal digits\"");
}

template <typename Ring>
void parse_lines(std::string_view text, Ring *ring, int *line_number) {
    int unwanted = 0;
    int &number = line_number != nullptr ? *line_number : unwanted;
    number = 0;
    while (!text.empty()) {
        const size_t end = text.find('\n');
        const std::string_view line = trim(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        ++number;
        if (line.empty() || line.front() == '#') continue;
        for (char c : line)
            if (c < ' ' || c > '~') malformed("a key line holds a byte that is no printable ASCII");
        const size_t colon = line.find(':');
        if (colon == std::string_view::npos) missing_colon(ring);
        add(line.substr(0, colon), line.substr(colon + 1), ring);
    }
    number = 0;
    if (ring->count == 0) malformed("the key provider delivers no key");
}

void derive_kek(const MasterKey &master, ByteView salt, ByteView tenant, uint32_t epoch,
                Key32 &out) {
    const Key32 secret{ByteView(master.key)};
    derive_key(secret, salt, KeyInfo{Purpose::tenant_kek, tenant, epoch, master.version}, out);
}

// What a wrapped root is bound to beside its KEK; nothing for suite 1, which came first.
struct SuiteName {
    uint8_t byte;
    explicit SuiteName(Suite suite) : byte(static_cast<uint8_t>(suite)) {
        if (!is_sealing(suite)) throw Error{Code::invalid_argument, "no suite to seal with"};
    }
    ByteView view() const {
        return {&byte, byte == static_cast<uint8_t>(Suite::xaes_256_gcm) ? size_t{0} : 1};
    }
};

}  // namespace

void parse_keyring(std::string_view text, Keyring *out, int *line) {
    struct Wiped {
        Keyring ring{};
        ~Wiped() { wipe({reinterpret_cast<uint8_t *>(&ring), sizeof ring}); }
    } wiped;
    parse_lines(text, &wiped.ring, line);
    *out = wiped.ring;
}

void parse_wrapped_keyring(std::string_view text, WrappedKeyring *out, int *line) {
    WrappedKeyring ring{};
    parse_lines(text, &ring, line);
    *out = ring;
}

void wrapped_key_context(uint32_t version, uint8_t out[kWrappedKeyContextBytes]) noexcept {
    static_assert(kWrappedContextLabel.size() + 4 == kWrappedKeyContextBytes);
    memcpy(out, kWrappedContextLabel.data(), kWrappedContextLabel.size());
    put_u32(out + kWrappedContextLabel.size(), version);
}

void master_check_value(const MasterKey &key, uint8_t out[kCheckValueBytes]) {
    const Key32 secret{ByteView(key.key)};
    Key32 proof;
    derive_key(secret, {}, KeyInfo{Purpose::check_value, {}, 0, key.version}, proof);
    memcpy(out, proof.view().data, kCheckValueBytes);
}

void root_check_value(const Key32 &root, ByteView tenant, uint8_t out[kCheckValueBytes]) {
    Key32 proof;
    derive_key(root, {}, KeyInfo{Purpose::root_check, tenant, 0, 0}, proof);
    memcpy(out, proof.view().data, kCheckValueBytes);
}

void wrap_root(const MasterKey &master, ByteView salt, ByteView tenant, uint32_t epoch,
               ByteView root, uint8_t out[kWrappedRootBytes], Suite suite) {
    const ByteSpan nonce(out, kXaesNonceBytes);
    random_nonce(nonce);
    wrap_root_with_nonce(master, salt, tenant, epoch, nonce, root, out, suite);
}

void wrap_root_with_nonce(const MasterKey &master, ByteView salt, ByteView tenant, uint32_t epoch,
                          ByteView nonce, ByteView root, uint8_t out[kWrappedRootBytes],
                          Suite suite) {
    if (salt.size != kSaltBytes || root.size != kKeyBytes || nonce.size != kXaesNonceBytes)
        throw Error{Code::invalid_argument, "wrong size of a salt, a root key or a nonce"};
    Key32 kek;
    derive_kek(master, salt, tenant, epoch, kek);
    memmove(out, nonce.data, kXaesNonceBytes);
    Xaes(kek).seal(nonce, SuiteName(suite).view(), root,
                   {out + kXaesNonceBytes, kKeyBytes + kXaesTagBytes});
}

void unwrap_root(const MasterKey &master, ByteView salt, ByteView tenant, uint32_t epoch,
                 ByteView wrapped, uint8_t out[kKeyBytes], Suite suite) {
    if (salt.size != kSaltBytes || wrapped.size != kWrappedRootBytes)
        throw Error{Code::cannot_open, "cannot open sealed value"};
    Key32 kek;
    derive_kek(master, salt, tenant, epoch, kek);
    Xaes(kek).open(wrapped.slice(0, kXaesNonceBytes), SuiteName(suite).view(),
                   wrapped.slice(kXaesNonceBytes, kKeyBytes + kXaesTagBytes), {out, kKeyBytes});
}

}  // namespace aegis::core
