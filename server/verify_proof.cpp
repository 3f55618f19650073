// SPDX-License-Identifier: Apache-2.0
#include "verify_proof.hpp"

#include <cstdio>

#include "core/bundle_check.hpp"
#include "core/checkpoint.hpp"
#include "core/encoding.hpp"
#include "core/entry.hpp"
#include "core/error.hpp"
#include "core/note.hpp"
#include "core/receipt.hpp"
#include "verify_entry.hpp"
#include "verify_io.hpp"

namespace aegis::verify_tool {

std::vector<core::NoteKey> parse_keys(const std::vector<std::string> &texts) {
    std::vector<core::NoteKey> keys;
    for (const std::string &key : texts) {
        try {
            keys.push_back(core::parse_note_key(key));
        } catch (const core::Error &error) {
            fail("key \"" + plain(key) + "\": " + error.message,
                 "A key is name+8 hex digits+base64.");
        }
    }
    return keys;
}

namespace {

unsigned long long wide(uint64_t value) {
    return static_cast<unsigned long long>(value);
}

std::string entry_of(const ProofOptions &options) {
    if (!options.entry.empty()) return Input(options.entry).all();
    std::string body(options.entry_hex.size() / 2, '\0');
    try {
        core::from_hex(options.entry_hex, {reinterpret_cast<uint8_t *>(body.data()), body.size()});
    } catch (const core::Error &) {
        fail("the entry is not hexadecimal", "Use encode(body, 'hex').");
    }
    return body;
}

// In the spelling of hex_of.
std::string log_of(const ProofOptions &options) {
    uint8_t id[core::kLogIdBytes];
    try {
        core::from_hex(options.log, id);
    } catch (const core::Error &) {
        fail("\"" + plain(options.log) + "\" is not the id of a log",
             "It has 64 hexadecimal digits.");
    }
    return hex_of(id);
}

std::vector<core::NoteKey> keys_of(const ProofOptions &options) {
    return parse_keys(options.keys);
}

Policy policy_of(const ProofOptions &options) {
    return {options.policy, keys_of(options)};
}

// Whoever gives no origin means the log whose key was given: keys of logs are named for them.
bool is_named(const ProofOptions &options, const std::string &origin) {
    for (const core::NoteKey &key : keys_of(options))
        if (key.name == origin) return true;
    return false;
}

// Why the checkpoint is not the one that was asked for; empty when it is.
std::string checkpoint_finding(const ProofOptions &options, const core::Note &note,
                               const core::Checkpoint &checkpoint) {
    if (!options.origin.empty() && checkpoint.origin != options.origin)
        return "it is a checkpoint of another log, \"" + plain(checkpoint.origin) + "\"";
    for (const core::NoteKey &key : keys_of(options)) {
        try {
            if (!core::note_is_signed(note, key))
                return "the checkpoint is not signed by \"" + key.name + "\"";
        } catch (const core::Error &) {
            return "the signature of \"" + key.name + "\" does not verify";
        }
    }
    // A witness signs the checkpoints of many logs.
    if (options.origin.empty() && !is_named(options, checkpoint.origin))
        return "it is a checkpoint of log \"" + plain(checkpoint.origin) +
               "\", which no key given is named for; --origin allows it";
    return policy_of(options).finding(note);
}

std::string receipt_finding(const ProofOptions &options, const core::Receipt &receipt,
                            const core::Checkpoint &checkpoint) {
    if (!core::verify_receipt(receipt, checkpoint))
        return "the checkpoint does not cover this entry";
    if (!options.log.empty() && log_of(options) != hex_of(receipt.log_id))
        return "it is an entry of another log, " + hex_of(receipt.log_id);
    if (options.tenant.empty()) return "";
    uint8_t tenant[16];
    read_uuid(options.tenant, tenant);
    const core::ByteView own = core::decode_entry(core::as_bytes(receipt.body)).tenant;
    if (own.size == 0) return "it is an entry of the system, not of a tenant";
    if (memcmp(own.data, tenant, sizeof tenant) != 0)
        return "it is an entry of another tenant, " + core::uuid_text(own);
    return "";
}

// The entry is shown only when everything holds: nothing that is not proven is printed as if it
// were.
int answer(const ProofOptions &options, const std::string &finding, uint64_t index,
           const core::Note &note, const core::Checkpoint &checkpoint,
           const core::Receipt *receipt) {
    const bool ok = finding.empty();
    const std::string cosigned = ok ? policy_of(options).cosigned(note) : "";
    if (options.as_json) {
        std::string more;
        if (receipt != nullptr && ok)
            more = ", \"log_id\": \"" + hex_of(receipt->log_id) +
                   "\", \"leaf\": " + std::to_string(receipt->leaf) +
                   ", \"log_size\": " + std::to_string(receipt->size) +
                   ", \"entry\": " + entry_json(core::as_bytes(receipt->body));
        printf(
            "{\"result\": \"%s\", \"origin\": %s, \"index\": %llu, \"size\": %llu, \"root\": "
            "\"%s\", \"finding\": %s, \"cosigned\": %s%s}\n",
            ok ? "ok" : "findings", json(checkpoint.origin).c_str(), wide(index),
            wide(checkpoint.size), hex_of(checkpoint.root.view()).c_str(),
            ok ? "null" : json(finding).c_str(), cosigned.empty() ? "null" : json(cosigned).c_str(),
            more.c_str());
    } else if (!ok) {
        printf("finding: %s\n", finding.c_str());
    } else if (receipt == nullptr) {
        printf(
            "ok: the entry is leaf %llu of log \"%s\" at size %llu, signed by every key "
            "given%s%s\n",
            wide(index), plain(checkpoint.origin).c_str(), wide(checkpoint.size),
            cosigned.empty() ? "" : ", ", cosigned.c_str());
    } else {
        printf("%slog          %s, leaf %llu\n", entry_lines(core::as_bytes(receipt->body)).c_str(),
               hex_of(receipt->log_id).c_str(), wide(receipt->leaf));
        printf("checkpoint   of \"%s\" at size %llu, root %s\n", plain(checkpoint.origin).c_str(),
               wide(checkpoint.size), hex_of(checkpoint.root.view()).c_str());
        if (!cosigned.empty()) printf("witnesses    %s\n", cosigned.c_str());
        printf("result       ok: the entry is in the ledger, as every key given has signed\n");
    }
    return ok ? kOk : kFindings;
}

}  // namespace

int check_proof(const ProofOptions &options) {
    const bool has_entry = !options.entry.empty() || !options.entry_hex.empty();
    policy_of(options);  // what cannot be used ends the program before anything is read
    const std::string body = has_entry ? entry_of(options) : "";
    const std::string text = Input(options.file).note();
    core::ProofFile file;
    core::Note note;
    core::Checkpoint checkpoint;
    core::Receipt receipt;
    bool is_receipt = false;
    try {
        file = core::parse_proof_file(text);
        note = core::parse_note(file.checkpoint);
        checkpoint = core::parse_checkpoint(note.text);
        is_receipt = !has_entry && core::is_receipt(text);
        if (is_receipt) receipt = core::parse_receipt(text);
    } catch (const core::Error &error) {
        fail("\"" + options.file + "\": " + error.message,
             "It must be a C2SP tlog-proof, or a receipt of Aegis.");
    }
    if (!has_entry && !is_receipt)
        fail("\"" + options.file + "\" is no receipt: the entry is missing",
             "Give --entry FILE or --entry-hex HEX.");
    std::string finding = checkpoint_finding(options, note, checkpoint);
    if (finding.empty() && is_receipt) {
        finding = receipt_finding(options, receipt, checkpoint);
    } else if (finding.empty() && !core::verify_inclusion(file.index, checkpoint.size,
                                                          core::merkle_leaf(core::as_bytes(body)),
                                                          file.proof, checkpoint.root)) {
        finding = "the checkpoint does not cover this entry";
    }
    return answer(options, finding, file.index, note, checkpoint, is_receipt ? &receipt : nullptr);
}

}  // namespace aegis::verify_tool
