// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint.hpp"

#include "core/encoding.hpp"
#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr std::string_view kProofFileType = "c2sp.org/tlog-proof@v1\n";
constexpr std::string_view kIndexLabel = "index ";
constexpr std::string_view kExtraLabel = "extra ";
constexpr size_t kMaxProofHashes = 64;

[[noreturn]] void malformed(const char *message) {
    throw Error{Code::malformed, message};
}

}  // namespace

std::string_view take_line(std::string_view *rest) {
    const size_t end = rest->find('\n');
    if (end == std::string_view::npos) malformed("a line has no end");
    const std::string_view line = rest->substr(0, end);
    rest->remove_prefix(end + 1);
    return line;
}

uint64_t parse_decimal(std::string_view text) {
    if (text.empty() || text.size() > 20 || (text.size() > 1 && text[0] == '0'))
        malformed("a number must be decimal without leading zeros");
    uint64_t value = 0;
    for (const char c : text) {
        const uint64_t digit = static_cast<uint64_t>(c - '0');
        if (c < '0' || c > '9' || value > (UINT64_MAX - digit) / 10)
            malformed("a number must be decimal without leading zeros");
        value = value * 10 + digit;
    }
    return value;
}

std::string format_hash(const Digest &digest) {
    std::string text(base64_size(kDigestBytes), '\0');
    to_base64(digest.view(), text.data());
    return text;
}

Digest parse_hash(std::string_view text) {
    if (text.size() != base64_size(kDigestBytes) || base64_decoded_size(text) != kDigestBytes)
        malformed("a hash must be 32 bytes in base64");
    Digest digest;
    from_base64(text, digest.bytes);
    return digest;
}

std::string format_checkpoint(const Checkpoint &checkpoint) {
    if (checkpoint.origin.empty() || checkpoint.origin.find('\n') != std::string::npos)
        throw Error{Code::invalid_argument, "the origin of a log must be one line"};
    return checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" +
           format_hash(checkpoint.root) + "\n";
}

Checkpoint parse_checkpoint(std::string_view text) {
    Checkpoint checkpoint;
    checkpoint.origin = std::string(take_line(&text));
    if (checkpoint.origin.empty() || !is_text(as_bytes(checkpoint.origin)))
        malformed("a checkpoint must name its log in UTF-8");
    checkpoint.size = parse_decimal(take_line(&text));
    checkpoint.root = parse_hash(take_line(&text));
    if (!text.empty()) malformed("a checkpoint must have three lines");
    if (checkpoint.size == 0 && checkpoint.root != merkle_empty_root())
        malformed("the root of an empty log must be that of the empty tree");
    return checkpoint;
}

Checkpoint open_checkpoint(std::string_view text, const NoteKey &key) {
    const Note note = parse_note(text);
    if (!note_is_signed(note, key))
        throw Error{Code::cannot_open, "the checkpoint is not signed by this key"};
    Checkpoint checkpoint = parse_checkpoint(note.text);
    if (checkpoint.origin != key.name)
        throw Error{Code::cannot_open, "the checkpoint is about another log"};
    return checkpoint;
}

std::string log_origin(std::string_view prefix, std::string_view database) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string origin = std::string(prefix) + "/";
    for (const char c : database) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
        const uint8_t byte = static_cast<uint8_t>(c);
        origin +=
            plain ? std::string(1, c) : std::string{'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
    return origin;
}

std::string format_proof_file(uint64_t index, const Proof &proof, std::string_view checkpoint_note,
                              std::string_view extra) {
    std::string text(kProofFileType);
    if (!extra.empty()) text += std::string(kExtraLabel) + std::string(extra) + "\n";
    text += std::string(kIndexLabel) + std::to_string(index) + "\n";
    for (const Digest &hash : proof) text += format_hash(hash) + "\n";
    return text + "\n" + std::string(checkpoint_note);
}

ProofFile parse_proof_file(std::string_view text) {
    if (text.substr(0, kProofFileType.size()) != kProofFileType)
        malformed("not a proof file of version 1");
    text.remove_prefix(kProofFileType.size());
    ProofFile file;
    std::string_view line = take_line(&text);
    if (line.substr(0, kExtraLabel.size()) == kExtraLabel) {
        file.extra = line.substr(kExtraLabel.size());
        line = take_line(&text);
    }
    if (line.substr(0, kIndexLabel.size()) != kIndexLabel)
        malformed("a proof file must name the index of its leaf");
    file.index = parse_decimal(line.substr(kIndexLabel.size()));
    while (!(line = take_line(&text)).empty()) {
        if (file.proof.size() == kMaxProofHashes) malformed("a proof has at most 64 hashes");
        file.proof.push_back(parse_hash(line));
    }
    file.checkpoint = text;
    return file;
}

}  // namespace aegis::core
