// SPDX-License-Identifier: Apache-2.0
// aegis-verify: checks exported ledgers and proof files on the machine of whoever doubts them, and
// is the witness there. It knows no database and writes nothing but what it is told to keep.
// docs/aegis-verify.md, docs/witness.md.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "core/bundle_check.hpp"
#include "core/checkpoint.hpp"
#include "core/encoding.hpp"
#include "core/error.hpp"
#include "core/note.hpp"
#include "verify_anchor.hpp"
#include "verify_bundle.hpp"
#include "verify_fsck.hpp"
#include "verify_io.hpp"
#include "verify_proof.hpp"
#include "verify_tenant.hpp"
#include "verify_witness.hpp"

namespace {

using namespace aegis;
using namespace aegis::verify_tool;

constexpr size_t kMaxHeadLine = 4096;

struct BundleOptions {
    std::string file, tenant, keep;
    std::vector<std::string> hashes, heads, checkpoints, keys;
    std::string origin;
    PolicyOptions policy;
    bool as_json = false;
};

// A checkpoint that is not what it should be is of no use, whatever the bundle says.
core::KeptRoot signed_root(const std::string &path, const std::vector<core::NoteKey> &keys,
                           const Policy &policy, const std::string &origin) {
    const char *hint = "Ask for another copy, and check where the keys come from.";
    const std::string text = Input(path).note(core::kMaxNoteBytes + 1);
    try {
        const core::Note note = core::parse_note(text);
        const core::Checkpoint checkpoint = core::parse_checkpoint(note.text);
        bool is_ours = checkpoint.origin == origin;
        for (const core::NoteKey &key : keys) {
            if (!core::note_is_signed(note, key))
                fail("\"" + path + "\" is not signed by \"" + key.name + "\"", hint);
            is_ours = is_ours || (origin.empty() && checkpoint.origin == key.name);
        }
        if (!is_ours)
            fail("\"" + path + "\" is a checkpoint of another log, \"" + plain(checkpoint.origin) +
                     "\"",
                 "The log is called as the key, or as --origin says.");
        const std::string finding = policy.finding(note);
        if (!finding.empty()) fail("\"" + path + "\": " + finding, hint);
        return {checkpoint.size, checkpoint.root};
    } catch (const core::Error &error) {
        fail("\"" + path + "\": " + error.message, hint);
    }
}

void expect_checkpoints(const BundleOptions &options, core::BundleCheck *check) {
    const std::vector<core::NoteKey> keys = parse_keys(options.keys);
    const Policy policy(options.policy, keys);
    if (!options.checkpoints.empty() && keys.empty())
        fail("the key is missing", "Give --key VKEY, from a source that you trust.");
    if (options.checkpoints.empty() &&
        !(keys.empty() && options.origin.empty() && !policy.demands()))
        fail("the checkpoint is missing: with a key or an origin alone nothing would be compared",
             "Give --checkpoint FILE, or leave --key, --witness and --origin out.");
    for (const std::string &path : options.checkpoints)
        check->expect(signed_root(path, keys, policy, options.origin));
}

void expect_heads(const BundleOptions &options, core::BundleCheck *check) {
    for (const std::string &hash : options.hashes) {
        core::KeptSeal kept;
        if (hash.size() != core::hex_size(core::kDigestBytes))
            fail("\"" + plain(hash) + "\" is not the hash of a seal",
                 "It has 64 hexadecimal digits.");
        core::from_hex(hash, kept.hash.bytes);
        check->expect(kept);
    }
    for (const std::string &path : options.heads) {
        Input file(path);
        std::string line;
        bool ended, some = false;
        while (file.next(&line, &ended, kMaxHeadLine)) {
            try {
                core::expect_kept(line, check);
            } catch (const core::Error &error) {
                fail("\"" + path + "\": " + error.message,
                     "Give what aegis-verify wrote with --keep, unchanged.");
            }
            some = true;
        }
        if (!some) fail("\"" + path + "\" is empty", "Nothing would be compared with it.");
    }
    if (options.tenant.empty()) return;
    uint8_t tenant[16];
    read_uuid(options.tenant, tenant);
    check->expect_tenant(tenant);
}

std::string kept_of(const BundleOptions &options) {
    const bool heads = !options.hashes.empty() || !options.heads.empty();
    const std::string text = heads ? "the heads that were kept" : "";
    if (options.checkpoints.empty()) return heads ? text : "nothing";
    return text + (heads ? " and " : "") +
           (options.policy.witnesses.empty() ? "the signed checkpoints"
                                             : "the signed and cosigned checkpoints");
}

std::string name_of_log(const core::BundleLog &log) {
    return log.tenant.empty() ? "the system's log"
                              : "the log of tenant " + core::uuid_text(core::as_bytes(log.tenant));
}

// Logs whose beginning has no bodies any more, and who says so.
void tell_cuts(const core::BundleCheck &check) {
    for (const auto &[id, log] : check.logs()) {
        if (log.hollow == 0) continue;
        printf(
            "cut          %s below leaf %llu, at %s, asked for by %s, agreed to by %s: %s "
            "(its leaf %llu says so)\n",
            name_of_log(log).c_str(), static_cast<unsigned long long>(log.cut.size),
            time_text(log.cut.unix_micros).c_str(), plain(log.cut.requested_by).c_str(),
            plain(log.cut.approved_by).c_str(), plain(log.cut.reason).c_str(),
            static_cast<unsigned long long>(log.cut.leaf));
    }
}

std::string cuts_json(const core::BundleCheck &check) {
    std::string all;
    for (const auto &[id, log] : check.logs()) {
        if (log.hollow == 0) continue;
        const std::string tenant =
            log.tenant.empty() ? "null" : json(core::uuid_text(core::as_bytes(log.tenant)));
        all += (all.empty() ? "" : ", ") + ("{\"tenant\": " + tenant) +
               ", \"size\": " + std::to_string(log.cut.size) +
               ", \"leaf\": " + std::to_string(log.cut.leaf) +
               ", \"at_micros\": " + std::to_string(log.cut.unix_micros) +
               ", \"requested_by\": " + json(log.cut.requested_by) +
               ", \"approved_by\": " + json(log.cut.approved_by) +
               ", \"reason\": " + json(log.cut.reason) + "}";
    }
    return all;
}

// Only of a bundle in which nothing was found.
std::string statement_of(const core::BundleCheck &check) {
    return check.findings() == 0 && check.newest_seal() > 0 ? hex_of(check.statement().view()) : "";
}

void tell(const BundleOptions &options, const core::BundleCheck &check) {
    const std::string scope = check.tenant().empty()
                                  ? "whole ledger"
                                  : "tenant " + core::uuid_text(core::as_bytes(check.tenant()));
    printf("bundle       %s of database \"%s\", exported %s\n", scope.c_str(),
           plain(check.database()).c_str(), time_text(check.exported_at()).c_str());
    printf("read         %llu seals, %llu heads, %llu entries\n",
           static_cast<unsigned long long>(check.seals()),
           static_cast<unsigned long long>(check.heads()),
           static_cast<unsigned long long>(check.entries()));
    printf("compared     with %s\n", kept_of(options).c_str());
    if (check.findings() == 0) tell_cuts(check);
    if (check.findings() == 0)
        printf("result       ok: every hash follows from the entries\n");
    else
        printf("result       %llu findings\n", static_cast<unsigned long long>(check.findings()));
    if (!statement_of(check).empty()) printf("statement    %s\n", statement_of(check).c_str());
    if (check.findings() == 0) printf("keep\n%s", core::kept_lines(check).c_str());
}

void tell_json(const BundleOptions &options, const core::BundleCheck &check,
               const std::string &findings) {
    const std::string tenant =
        check.tenant().empty() ? "null" : json(core::uuid_text(core::as_bytes(check.tenant())));
    const std::string keep = check.findings() == 0 ? json(core::kept_lines(check)) : "null";
    printf(
        "{\"result\": \"%s\", \"database\": %s, \"tenant\": %s, \"exported_at_micros\": %lld, "
        "\"seals\": %llu, \"heads\": %llu, \"entries\": %llu, \"compared\": %s, "
        "\"newest_seal\": %llu, \"newest_hash\": \"%s\", \"findings\": %llu, "
        "\"details\": [%s], \"cuts\": [%s], \"statement\": %s, \"keep\": %s}\n",
        check.findings() == 0 ? "ok" : "findings", json(check.database()).c_str(), tenant.c_str(),
        static_cast<long long>(check.exported_at()), static_cast<unsigned long long>(check.seals()),
        static_cast<unsigned long long>(check.heads()),
        static_cast<unsigned long long>(check.entries()), json(kept_of(options)).c_str(),
        static_cast<unsigned long long>(check.newest_seal()),
        hex_of(check.newest_hash().view()).c_str(),
        static_cast<unsigned long long>(check.findings()), findings.c_str(),
        check.findings() == 0 ? cuts_json(check).c_str() : "",
        statement_of(check).empty() ? "null" : json(statement_of(check)).c_str(), keep.c_str());
}

// What was kept before is all that tells a rewritten ledger: it stays until the new file is whole.
void keep(const std::string &path, const std::string &lines) {
    std::error_code none;
    const bool replaces = std::filesystem::is_regular_file(path, none);
    const std::string fresh = replaces ? path + ".new" : path;
    std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
    file << lines;
    file.close();
    if (!file || (replaces && rename(fresh.c_str(), path.c_str()) != 0))
        fail("could not write \"" + fresh + "\"", "Check the folder and your rights in it.");
}

int check_bundle(const BundleOptions &options) {
    std::string details;
    core::BundleCheck check([&](const std::string &where, const std::string &what) {
        if (options.as_json)
            details += (details.empty() ? "" : ", ") + ("{\"where\": " + json(where)) +
                       ", \"what\": " + json(what) + "}";
        else
            printf("finding      %s: %s\n", where.c_str(), what.c_str());
    });
    expect_heads(options, &check);
    expect_checkpoints(options, &check);
    read_bundle(options.file, &check);
    if (options.as_json)
        tell_json(options, check, details);
    else
        tell(options, check);
    if (check.findings() > 0) return kFindings;
    if (!options.keep.empty()) keep(options.keep, core::kept_lines(check));
    return kOk;
}

}  // namespace

int main(int argc, char **argv) {
    command_line::Program program(
        "Checks ledgers and proofs of Aegis without a database.\n\n"
        "Exit status: 0 everything holds, 1 something does not, 2 the input cannot be used.",
        "aegis-verify");
    program.require_command();
    program.version(AEGIS_VERSION);

    BundleOptions bundle;
    command_line::Command bundle_command = program.command("bundle", "Check an exported ledger");
    bundle_command.option("file", &bundle.file, "The bundle; - reads standard input").required();
    bundle_command.option("--seal-hash", &bundle.hashes,
                          "Hash of a seal that was kept; the bundle must have it. Repeatable");
    bundle_command.option("--head", &bundle.heads,
                          "File of heads that --keep wrote earlier. Repeatable");
    bundle_command.option("--checkpoint", &bundle.checkpoints,
                          "File with a signed checkpoint; the ledger must contain it. "
                          "Repeatable");
    bundle_command.option("--key", &bundle.keys,
                          "Key that must have signed the checkpoints (vkey). Repeatable");
    bundle_command.option("--origin", &bundle.origin,
                          "The log of the checkpoints, when it is not called as the key");
    add_policy_options(&bundle_command, &bundle.policy);
    bundle_command.option("--tenant", &bundle.tenant, "The bundle must be this tenant's");
    bundle_command.option("--keep", &bundle.keep,
                          "Write the heads to compare with next time; only when all holds");
    bundle_command.flag("--json", &bundle.as_json, "Print one JSON object");

    ProofOptions proof;
    command_line::Command proof_command =
        program.command("proof", "Check a receipt, or a proof file for one entry");
    proof_command
        .option("file", &proof.file, "The receipt or proof (.tlog-proof); - reads standard input")
        .required();
    proof_command.option("--key", &proof.keys, "Key that must have signed (vkey). Repeatable")
        .required();
    add_policy_options(&proof_command, &proof.policy);
    const command_line::Option entry = proof_command.option(
        "--entry", &proof.entry, "File with the entry's body; a receipt has it in itself");
    const command_line::Option hex =
        proof_command.option("--entry-hex", &proof.entry_hex, "The entry's body in hexadecimal");
    entry.excludes(hex);
    proof_command.option("--origin", &proof.origin, "The log that must have been signed");
    proof_command
        .option("--tenant", &proof.tenant, "The entry of the receipt must be this tenant's")
        .excludes(entry)
        .excludes(hex);
    proof_command
        .option("--log", &proof.log, "Id of the tenant's log that the receipt must be of (hex)")
        .excludes(entry)
        .excludes(hex);
    proof_command.flag("--json", &proof.as_json, "Print one JSON object");

    TenantOptions tenant;
    command_line::Command tenant_command = program.command("tenant", "Check an exported tenant");
    tenant_command.option("file", &tenant.file, "The export; - reads standard input").required();
    tenant_command.option("--tenant", &tenant.tenant, "The export must be this tenant's");
    tenant_command.option("--chain", &tenant.chain,
                          "The chain that the source's ledger says, in hexadecimal");
    tenant_command.flag("--json", &tenant.as_json, "Print one JSON object");

    FsckOptions fsck;
    command_line::Command fsck_command =
        program.command("fsck", "Read a whole log as C2SP tiles and hash it again");
    fsck_command
        .option("place", &fsck.source.place,
                "Address above the log's checkpoint, https://…, or a folder")
        .required();
    fsck_command.option("--key", &fsck.keys, "Key that must have signed (vkey). Repeatable")
        .required();
    add_policy_options(&fsck_command, &fsck.policy);
    fsck_command.option("--origin", &fsck.origin,
                        "The log of the checkpoint, when it is not called as the key");
    fsck_command.flag("--tenant-log", &fsck.tenant_log,
                      "The log of a tenant: its receipt says size and root");
    fsck_command.flag("--hashes-only", &fsck.hashes_only, "Do not read the entries");
    fsck_command.option("--ca", &fsck.source.ca, "PEM with the authorities to trust");
    fsck_command.option("--token-file", &fsck.source.token_file,
                        "File with the token of a session, sent with every request");
    fsck_command.flag("--progress", &fsck.progress, "Say on standard error how far it is");
    fsck_command.flag("--json", &fsck.as_json, "Print one JSON object");

    AnchorOptions anchor;
    add_anchor_command(&program, &anchor);

    WitnessOptions witness;
    add_witness_command(&program, &witness);

    // What a script did not fill in must not make a check go away.
    program.refuse_empty();

    int status = 0;
    if (!program.parse(argc, argv, &status)) return status == 0 ? kOk : kUnusable;
    std::string message, hint;
    try {
        const int result = bundle_command.given()    ? check_bundle(bundle)
                           : tenant_command.given()  ? check_tenant(tenant)
                           : witness.command.given() ? run_witness(witness)
                           : fsck_command.given()    ? check_log(fsck)
                           : anchor.command.given()  ? check_anchor(anchor)
                                                     : check_proof(proof);
        if (fflush(stdout) != 0) fail("could not write the result", "Check where it goes.");
        return result;
    } catch (const Failure &failure) {
        message = failure.message;
        hint = failure.hint;
    } catch (const core::Error &error) {
        message = error.message;
        hint = "aegis-verify --help says what it takes.";
    } catch (const std::exception &error) {
        message = error.what();
        hint = "Try again.";
    }
    fprintf(stderr, "aegis-verify: %s\nhint: %s\n", message.c_str(), hint.c_str());
    return kUnusable;
}
