// SPDX-License-Identifier: Apache-2.0
#include "core/note.hpp"

#include <memory>

#include "core/digest.hpp"
#include "core/encoding.hpp"
#include "core/openssl.hpp"

namespace aegis::core {

namespace {

constexpr std::string_view kDash = "\xE2\x80\x94 ";  // U+2014 and a space begin a signature line
constexpr size_t kTimestampBytes = 8;

struct KeyDeleter {
    void operator()(EVP_PKEY *key) const noexcept { EVP_PKEY_free(key); }
};
struct DigestContextDeleter {
    void operator()(EVP_MD_CTX *ctx) const noexcept { EVP_MD_CTX_free(ctx); }
};
using PublicKey = std::unique_ptr<EVP_PKEY, KeyDeleter>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, DigestContextDeleter>;

[[noreturn]] void malformed(const char *message) {
    throw Error{Code::malformed, message};
}

bool is_space_or_plus(unsigned char c) {
    return c <= ' ' || c == '+' || c == 0x7f;
}

// The spaces of Unicode beyond ASCII (White_Space), in UTF-8.
constexpr std::string_view kWideSpaces[] = {
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81",
    "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86",
    "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8",
    "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};

bool valid_name(std::string_view name) {
    if (name.empty() || name.size() > 255 || !is_text(as_bytes(name))) return false;
    for (const char c : name)
        if (is_space_or_plus(static_cast<unsigned char>(c))) return false;
    for (const std::string_view space : kWideSpaces)
        if (name.find(space) != std::string_view::npos) return false;
    return true;
}

// keyid = SHA-256(name || 0x0A || type || public key), first four bytes.
void key_id(const NoteKey &key, uint8_t out[kNoteKeyIdBytes]) {
    const uint8_t middle[] = {'\n', static_cast<uint8_t>(key.type)};
    const ByteView parts[] = {as_bytes(key.name), middle, key.public_key};
    const Digest digest = sha256(parts, 3);
    memcpy(out, digest.bytes, kNoteKeyIdBytes);
}

std::string base64(ByteView bytes) {
    std::string text(base64_size(bytes.size), '\0');
    to_base64(bytes, text.data());
    return text;
}

std::string from_base64_text(std::string_view text) {
    std::string bytes(base64_decoded_size(text), '\0');
    from_base64(text, {reinterpret_cast<uint8_t *>(bytes.data()), bytes.size()});
    return bytes;
}

bool verifies(const NoteKey &key, ByteView message, ByteView signature) {
    if (signature.size != kEd25519SignatureBytes) return false;
    const PublicKey public_key(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.public_key, kEd25519Bytes));
    const DigestContext ctx(EVP_MD_CTX_new());
    if (!public_key || !ctx ||
        EVP_DigestVerifyInit(ctx.get(), nullptr, nullptr, nullptr, public_key.get()) != 1)
        fail(Code::crypto_failure, "Ed25519 is not available");
    const int result =
        EVP_DigestVerify(ctx.get(), signature.data, signature.size, message.data, message.size);
    ERR_clear_error();
    return result == 1;
}

std::string signature_of(const Key32 &seed, ByteView message) {
    const PublicKey private_key(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.view().data, kKeyBytes));
    const DigestContext ctx(EVP_MD_CTX_new());
    std::string signature(kEd25519SignatureBytes, '\0');
    size_t size = signature.size();
    if (!private_key || !ctx ||
        EVP_DigestSignInit(ctx.get(), nullptr, nullptr, nullptr, private_key.get()) != 1 ||
        EVP_DigestSign(ctx.get(), reinterpret_cast<uint8_t *>(signature.data()), &size,
                       message.data, message.size) != 1 ||
        size != signature.size())
        fail(Code::crypto_failure, "could not sign with Ed25519");
    return signature;
}

std::string cosigned_message(std::string_view text, uint64_t timestamp) {
    return "cosignature/v1\ntime " + std::to_string(timestamp) + "\n" + std::string(text);
}

std::string signature_line(std::string_view name, const uint8_t *id, std::string_view signature) {
    std::string bytes(reinterpret_cast<const char *>(id), kNoteKeyIdBytes);
    bytes += signature;
    return std::string(kDash) + std::string(name) + " " + base64(as_bytes(bytes)) + "\n";
}

void check_text(std::string_view text) {
    if (text.empty() || text.back() != '\n')
        malformed("the text of a note must end with a newline");
    for (const char c : text)
        if (static_cast<unsigned char>(c) < ' ' && c != '\n')
            malformed("a note must not hold control characters");
    if (!is_text(as_bytes(text))) malformed("a note must be UTF-8");
}

}  // namespace

NoteKey parse_note_key(std::string_view text) {
    // The name may not hold a "+", the base64 may: the first two separate.
    const size_t first = text.find('+');
    const size_t second = first == std::string_view::npos ? first : text.find('+', first + 1);
    if (second == std::string_view::npos) malformed("a note key must read name+id+key");
    NoteKey key;
    key.name = std::string(text.substr(0, first));
    if (!valid_name(key.name)) malformed("a note key must have a name without spaces");
    uint8_t claimed[kNoteKeyIdBytes];
    from_hex(text.substr(first + 1, second - first - 1), claimed);
    const std::string bytes = from_base64_text(text.substr(second + 1));
    if (bytes.size() != 1 + kEd25519Bytes) malformed("a note key must hold an Ed25519 public key");
    key.type = static_cast<NoteKeyType>(bytes[0]);
    if (key.type != NoteKeyType::ed25519 && key.type != NoteKeyType::ed25519_cosignature)
        malformed("the type of a note key must be Ed25519");
    memcpy(key.public_key, bytes.data() + 1, kEd25519Bytes);
    key_id(key, key.id);
    if (memcmp(claimed, key.id, kNoteKeyIdBytes) != 0)
        malformed("the id of a note key is not its own");
    return key;
}

std::string format_note_key(const NoteKey &key) {
    char id[2 * kNoteKeyIdBytes];
    to_hex(key.id, id);
    std::string bytes(1, static_cast<char>(key.type));
    bytes.append(reinterpret_cast<const char *>(key.public_key), kEd25519Bytes);
    return key.name + "+" + std::string(id, sizeof id) + "+" + base64(as_bytes(bytes));
}

NoteKey note_key_of(std::string_view name, NoteKeyType type, const Key32 &seed) {
    if (!valid_name(name)) malformed("the name of a note key must have no spaces and no \"+\"");
    NoteKey key;
    key.name = std::string(name);
    key.type = type;
    const PublicKey private_key(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.view().data, kKeyBytes));
    size_t size = kEd25519Bytes;
    if (!private_key || EVP_PKEY_get_raw_public_key(private_key.get(), key.public_key, &size) != 1)
        fail(Code::crypto_failure, "Ed25519 is not available");
    key_id(key, key.id);
    return key;
}

NoteKey renamed(const NoteKey &key, std::string_view name) {
    if (!valid_name(name)) malformed("the name of a note key must have no spaces and no \"+\"");
    NoteKey other = key;
    other.name = std::string(name);
    key_id(other, other.id);
    return other;
}

Note parse_note(std::string_view text) {
    if (text.size() > kMaxNoteBytes) throw Error{Code::too_long, "a note is at most 1 MiB"};
    const size_t blank = text.rfind("\n\n");
    if (blank == std::string_view::npos)
        malformed("a note must have a blank line before its signatures");
    Note note;
    note.text = text.substr(0, blank + 1);
    check_text(note.text);
    std::string_view rest = text.substr(blank + 2);
    if (rest.empty() || rest.back() != '\n') malformed("a note must end with a signature line");
    while (!rest.empty()) {
        const size_t end = rest.find('\n');
        std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end + 1);
        if (line.substr(0, kDash.size()) != kDash)
            malformed("a signature line must begin with a dash");
        line.remove_prefix(kDash.size());
        const size_t space = line.find(' ');
        if (space == std::string_view::npos || !valid_name(line.substr(0, space)))
            malformed("a signature line must name its key");
        NoteSignature signature;
        signature.name = line.substr(0, space);
        const std::string bytes = from_base64_text(line.substr(space + 1));
        if (bytes.size() <= kNoteKeyIdBytes) malformed("a signature is too short");
        memcpy(signature.id, bytes.data(), kNoteKeyIdBytes);
        signature.signature = bytes.substr(kNoteKeyIdBytes);
        if (note.signatures.size() == kMaxNoteSignatures)
            malformed("a note has too many signatures");
        note.signatures.push_back(std::move(signature));
    }
    return note;
}

bool note_is_signed(const Note &note, const NoteKey &key, uint64_t *timestamp) {
    for (const NoteSignature &s : note.signatures) {
        if (s.name != key.name || memcmp(s.id, key.id, kNoteKeyIdBytes) != 0) continue;
        const ByteView bytes = as_bytes(s.signature);
        bool good;
        if (key.type == NoteKeyType::ed25519_cosignature) {
            good = bytes.size == kTimestampBytes + kEd25519SignatureBytes;
            if (good) {
                const uint64_t time = get_u64(bytes.data);
                const std::string message = cosigned_message(note.text, time);
                good = verifies(key, as_bytes(message),
                                bytes.slice(kTimestampBytes, kEd25519SignatureBytes));
                if (good && timestamp != nullptr) *timestamp = time;
            }
        } else {
            good = verifies(key, as_bytes(note.text), bytes);
        }
        if (!good) throw Error{Code::cannot_open, "a signature of the note does not verify"};
        return true;
    }
    return false;
}

std::string format_signature(const NoteSignature &signature) {
    return signature_line(signature.name, signature.id, signature.signature);
}

std::string sign_note(std::string_view text, const NoteKey &key, const Key32 &seed) {
    check_text(text);
    if (key.type != NoteKeyType::ed25519)
        throw Error{Code::invalid_argument, "this key makes cosignatures, not signatures"};
    return signature_line(key.name, key.id, signature_of(seed, as_bytes(text)));
}

std::string cosign_note(std::string_view text, const NoteKey &key, const Key32 &seed,
                        uint64_t timestamp) {
    check_text(text);
    if (key.type != NoteKeyType::ed25519_cosignature)
        throw Error{Code::invalid_argument, "this key makes signatures, not cosignatures"};
    uint8_t time[kTimestampBytes];
    put_u64(time, timestamp);
    std::string signature(reinterpret_cast<const char *>(time), sizeof time);
    signature += signature_of(seed, as_bytes(cosigned_message(text, timestamp)));
    return signature_line(key.name, key.id, signature);
}

}  // namespace aegis::core
