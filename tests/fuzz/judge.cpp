// SPDX-License-Identifier: Apache-2.0
// Says what the core library makes of each input, for tests/independent/differential.py, which
// compares it with what a second implementation makes of the same.
//   judge < lines "KIND HEX [HEX ...]"; prints for each "refused", or what was read
#include <cstdio>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "core/bundle_check.hpp"
#include "core/checkpoint.hpp"
#include "core/cosignature.hpp"
#include "core/encoding.hpp"
#include "core/entry.hpp"
#include "core/envelope.hpp"
#include "core/error.hpp"
#include "core/http_signature.hpp"
#include "core/keyring.hpp"
#include "core/normalise.hpp"
#include "core/note.hpp"
#include "core/receipt.hpp"
#include "core/seal.hpp"
#include "core/session_token.hpp"

using namespace aegis::core;

namespace {

using Arguments = std::vector<std::string>;

std::string bytes_of(const std::string &hex) {
    std::string bytes(hex.size() / 2, '\0');
    from_hex(hex, {reinterpret_cast<uint8_t *>(bytes.data()), bytes.size()});
    return bytes;
}

std::string hex(ByteView bytes) {
    std::string text(hex_size(bytes.size), '\0');
    to_hex(bytes, text.data());
    return text;
}
std::string hex(std::string_view text) {
    return hex(as_bytes(text));
}

template <typename... Parts>
std::string words(const Parts &...parts) {
    std::ostringstream out;
    ((out << parts << ' '), ...);
    return out.str();
}

Digest digest_of(const std::string &bytes) {
    if (bytes.size() != kDigestBytes) throw Error{Code::malformed, "a hash"};
    Digest digest;
    memcpy(digest.bytes, bytes.data(), kDigestBytes);
    return digest;
}

std::string hashes(const Proof &proof) {
    std::string text;
    for (const Digest &hash : proof) text += hex(hash.view()) + ",";
    return text;
}

std::string entry(const Arguments &in) {
    const EntryFields f = decode_entry(as_bytes(in[0]));
    return words(
        f.epoch, f.unix_micros, static_cast<int>(f.outcome), f.rank, f.way, f.job, f.xid, f.ordinal,
        hex(f.tenant) + "," + hex(f.event) + "," + hex(f.user) + "," + hex(f.session) + "," +
            hex(f.session_user) + "," + hex(f.request_id) + "," + hex(f.origin) + "," +
            hex(f.target_kind) + "," + hex(f.target_id) + "," + hex(f.detail) + "," + hex(f.image));
}

std::string seal(const Arguments &in) {
    const SealFields f = decode_seal(as_bytes(in[0]));
    return words(f.epoch, f.number, f.unix_micros, f.entries, f.root_size, hex(f.root.view()),
                 hex(f.previous.view()), "s" + hex(f.snapshot), f.wal_position);
}

std::string envelope(const Arguments &in) {
    const ByteView bytes = as_bytes(in[0]);
    const EnvelopeParts parts = parse_envelope(bytes);
    std::string stripped(bytes.size, '\0');
    stripped.resize(
        strip_token(bytes, {reinterpret_cast<uint8_t *>(stripped.data()), stripped.size()}));
    return words(static_cast<int>(parts.header.type), static_cast<int>(parts.header.flags),
                 parts.header.epoch, parts.header.field, "t" + hex(parts.token),
                 envelope_plaintext_size(parts), hex(stripped));
}

std::string record(const Arguments &in) {
    return words(static_cast<int>(decode_bundle_record(as_bytes(in[0])).kind));
}

// A bundle, lines of kept heads, and sizes and roots that checkpoints sign.
std::string bundle(const Arguments &in) {
    BundleCheck check([](const std::string &, const std::string &) {});
    std::string_view kept = in[1];
    while (!kept.empty()) {
        const size_t end = kept.find('\n');
        expect_kept(kept.substr(0, end), &check);
        kept = end == std::string_view::npos ? std::string_view() : kept.substr(end + 1);
    }
    for (size_t i = 2; i + 1 < in.size(); i += 2)
        check.expect(KeptRoot{std::stoull(in[i]), digest_of(in[i + 1])});
    std::string_view rest = in[0];
    if (rest.empty() || rest.back() != '\n')
        throw Error{Code::malformed, "the last line has no end"};
    for (size_t end; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1))
        check.line(rest.substr(0, end));
    check.finish();
    if (check.findings() > 0) return "findings";
    return words("ok", check.newest_seal(), hex(check.newest_hash().view()), check.seals(),
                 check.heads(), check.entries(), hex(kept_lines(check)));
}

std::string note(const Arguments &in) {
    const Note read = parse_note(in[0]);
    const bool is_signed = note_is_signed(read, parse_note_key(in[1]));
    return words(is_signed ? "signed" : "unsigned", read.signatures.size(), hex(read.text));
}

std::string vkey(const Arguments &in) {
    const NoteKey key = parse_note_key(in[0]);
    return words(hex(key.name), hex(ByteView(key.id)), static_cast<int>(key.type),
                 hex(ByteView(key.public_key)));
}

std::string checkpoint(const Arguments &in) {
    const Checkpoint read = parse_checkpoint(in[0]);
    return words(hex(read.origin), read.size, hex(read.root.view()));
}

std::string proof_file(const Arguments &in) {
    const ProofFile read = parse_proof_file(in[0]);
    return words(read.index, "p" + hashes(read.proof), "n" + hex(read.checkpoint));
}

std::string cosignature(const Arguments &in) {
    const Cosignature made = take_cosignature(in[0], in[1], parse_note_key(in[2]));
    return words(made.timestamp, hex(made.line));
}

std::string receipt(const Arguments &in) {
    const Receipt read = parse_receipt(in[0]);
    const Note carried = parse_note(read.note);
    const Checkpoint signed_head = parse_checkpoint(carried.text);
    if (!note_is_signed(carried, parse_note_key(in[1])) || signed_head.origin != in[2] ||
        !verify_receipt(read, signed_head))
        return "refused";
    return words(hex(read.body));
}

Proof proof_of(const Arguments &in, size_t from) {
    Proof proof;
    for (size_t i = from; i < in.size(); ++i) proof.push_back(digest_of(in[i]));
    return proof;
}

std::string inclusion(const Arguments &in) {
    return verify_inclusion(std::stoull(in[0]), std::stoull(in[1]), digest_of(in[2]),
                            proof_of(in, 4), digest_of(in[3]))
               ? "ok"
               : "refused";
}

std::string consistency(const Arguments &in) {
    return verify_consistency(std::stoull(in[0]), std::stoull(in[1]), proof_of(in, 4),
                              digest_of(in[2]), digest_of(in[3]))
               ? "ok"
               : "refused";
}

std::string armor(const Arguments &in) {
    std::string bytes(armor_decoded_size(in[0]), '\0');
    from_armor(in[0], {reinterpret_cast<uint8_t *>(bytes.data()), bytes.size()});
    return "b" + hex(bytes);
}

std::string token(const Arguments &in) {
    return is_session_token(in[0]) ? hex(session_token_hash(in[0]).view()) : "refused";
}

template <Normaliser how>
std::string normal(const Arguments &in) {
    std::string out(normalised_capacity(how, in[0].size()), '\0');
    out.resize(
        normalise(how, as_bytes(in[0]), {reinterpret_cast<uint8_t *>(out.data()), out.size()}));
    return "n" + hex(out);
}

std::string keyring(const Arguments &in) {
    Keyring ring;
    parse_keyring(in[0], &ring);
    std::string text;
    for (int i = 0; i < ring.count; ++i)
        text += std::to_string(ring.keys[i].version) + ":" + hex(ByteView(ring.keys[i].key)) + ",";
    return text;
}

std::string dictionary(const Arguments &in) {
    std::string text = "d";
    for (const FieldMember &member : parse_dictionary(in[0])) {
        InnerList list = member.list;
        if (!member.is_list) list.items.push_back(member.item);
        text += hex(member.key + "=" + format_inner_list(list)) + ",";
    }
    return text;
}

// The three fields of a request for https://example.com/ without content.
std::string signature(const Arguments &in) {
    const HttpField fields[] = {
        {"signature-input", in[0]}, {"signature", in[1]}, {"content-digest", in[2]}};
    ServiceSignature read;
    read_service_signature({"GET", "https", "example.com", "/", fields, 3, {}}, &read);
    return words(read.key_id, read.nonce, read.created);
}

const std::map<std::string, std::string (*)(const Arguments &)> kJudges = {
    {"entry", entry},
    {"seal", seal},
    {"envelope", envelope},
    {"record", record},
    {"bundle", bundle},
    {"note", note},
    {"vkey", vkey},
    {"checkpoint", checkpoint},
    {"proof_file", proof_file},
    {"cosignature", cosignature},
    {"receipt", receipt},
    {"armor", armor},
    {"inclusion", inclusion},
    {"consistency", consistency},
    {"token", token},
    {"email", normal<Normaliser::email>},
    {"keyword", normal<Normaliser::keyword>},
    {"caseless", normal<Normaliser::caseless>},
    {"phone", normal<Normaliser::phone>},
    {"alnum", normal<Normaliser::alnum>},
    {"keyring", keyring},
    {"dictionary", dictionary},
    {"signature", signature}};

}  // namespace

int main() {
    std::ios::sync_with_stdio(false);
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream parts(line);
        std::string kind, part;
        parts >> kind;
        Arguments arguments;
        while (parts >> part) arguments.push_back(part == "-" ? "" : bytes_of(part));
        std::string said;
        try {
            said = kJudges.at(kind)(arguments);
        } catch (const Error &) {
            said = "refused";
        }
        while (!said.empty() && said.back() == ' ') said.pop_back();
        std::cout << said << '\n';
    }
    return std::cout.flush() ? 0 : 1;
}
