// SPDX-License-Identifier: Apache-2.0
// Every parser that reads stored or foreign bytes: the first byte chooses one. Each must read or
// refuse, and what it reads must be written back as the same bytes.
#include <cstdlib>
#include <string>
#include <vector>

#include "core/bundle_check.hpp"
#include "core/checkpoint.hpp"
#include "core/encoding.hpp"
#include "core/entry.hpp"
#include "core/envelope.hpp"
#include "core/error.hpp"
#include "core/keyring.hpp"
#include "core/mask.hpp"
#include "core/normalise.hpp"
#include "core/note.hpp"
#include "core/receipt.hpp"
#include "core/seal.hpp"
#include "core/session_token.hpp"

using namespace aegis::core;

namespace {

void require(bool holds) {
    if (!holds) abort();
}

bool same(ByteView a, ByteView b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

ByteSpan span(std::vector<uint8_t> &bytes) {
    return {bytes.data(), bytes.size()};
}

void envelope(ByteView in) {
    std::vector<uint8_t> out(in.size);
    require(!is_unsealed(in) || unsealed_plaintext_size(in) < in.size);
    const EnvelopeParts parts = parse_envelope(in);
    require(envelope_size(parts.header, envelope_plaintext_size(parts)) == in.size);
    out.resize(strip_token(in, span(out)));
    require(parse_envelope(span(out)).token.size == 0);
}

void cbor(ByteView in) {
    CborReader reader(in);
    while (!reader.done()) reader.skip();
}

void entry(ByteView in) {
    const EntryFields fields = decode_entry(in);
    std::vector<uint8_t> out(in.size);
    require(encode_entry(fields, span(out)) == in.size && same(span(out), in));
}

void seal(ByteView in) {
    const SealFields fields = decode_seal(in);
    std::vector<uint8_t> out(in.size);
    require(encode_seal(fields, span(out)) == in.size && same(span(out), in));
}

void bundle_record(ByteView in) {
    const BundleRecord record = decode_bundle_record(in);
    std::vector<uint8_t> out(in.size);
    require(encode_bundle_record(record, span(out)) == in.size && same(span(out), in));
}

// Lines of a bundle: read or refused; what is sound ends.
void bundle(std::string_view in) {
    BundleCheck check([](const std::string &, const std::string &) {});
    for (size_t end; (end = in.find('\n')) != std::string_view::npos; in.remove_prefix(end + 1))
        check.line(in.substr(0, end));
    check.line(in);
    check.finish();
}

void note(std::string_view in) {
    const Note read = parse_note(in);
    require(format_checkpoint(parse_checkpoint(read.text)) == read.text);
}

void proof_file(std::string_view in) {
    const ProofFile file = parse_proof_file(in);
    const std::string again = format_proof_file(file.index, file.proof, file.checkpoint);
    require(parse_proof_file(again).checkpoint == file.checkpoint);
}

void receipt(std::string_view in) {
    const Receipt read = parse_receipt(in);
    require(format_receipt(read) == in);
    verify_receipt(read, parse_checkpoint(parse_note(read.note).text));
}

void frontier(ByteView in) {
    const Frontier read = decode_frontier(in);
    std::vector<uint8_t> out(frontier_size(read));
    encode_frontier(read, span(out));
    require(same(span(out), in));
}

void armor(std::string_view in) {
    std::vector<uint8_t> out(armor_decoded_size(in));
    from_armor(in, span(out));
    std::string text(armor_size(out.size()), '?');
    to_armor(span(out), text.data());
    require(text == in);
}

void keyring(std::string_view in) {
    Keyring ring;
    parse_keyring(in, &ring);
    require(ring.count >= 1 && ring.count <= kMaxMasterVersions);
    for (int i = 1; i < ring.count; ++i) require(ring.keys[i - 1].version < ring.keys[i].version);
}

void text(std::string_view in) {
    std::vector<uint8_t> out(mask_capacity(in.size()));
    for (Mask how : {Mask::none, Mask::full, Mask::email, Mask::last4, Mask::domain, Mask::phone,
                     Mask::initial, Mask::initials, Mask::year, Mask::card})
        require(mask(how, as_bytes(in), span(out)) <= out.size());
    for (Normaliser how : {Normaliser::email, Normaliser::keyword, Normaliser::caseless,
                           Normaliser::phone, Normaliser::alnum}) {
        out.resize(normalised_capacity(how, in.size()));
        try {
            out.resize(normalise(how, as_bytes(in), span(out)));
        } catch (const Error &) {
            continue;
        }
        std::vector<uint8_t> again(normalised_capacity(how, out.size()));
        again.resize(normalise(how, span(out), span(again)));
        require(same(span(again), span(out)));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    const ByteView in(data + 1, size - 1);
    const std::string_view chars(reinterpret_cast<const char *>(in.data), in.size);
    try {
        switch (data[0] % 15) {
            case 0:
                envelope(in);
                break;
            case 1:
                cbor(in);
                break;
            case 2:
                entry(in);
                break;
            case 3:
                seal(in);
                break;
            case 4:
                frontier(in);
                break;
            case 5:
                armor(chars);
                break;
            case 6:
                keyring(chars);
                break;
            case 7:
                text(chars);
                break;
            case 8:
                bundle_record(in);
                break;
            case 9:
                bundle(chars);
                break;
            case 10:
                note(chars);
                break;
            case 11:
                proof_file(chars);
                break;
            case 12:
                receipt(chars);
                break;
            case 13:
                require(format_note_key(parse_note_key(chars)).size() == chars.size());
                break;
            default:
                require(!is_session_token(chars) || in.size <= kMaxSessionTokenBytes);
        }
    } catch (const Error &) {  // refused, as it should be
    }
    return 0;
}
