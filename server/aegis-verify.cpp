// SPDX-License-Identifier: Apache-2.0
// aegis-verify: checks exported ledgers and proof files on the machine of whoever doubts them. It
// knows no database and writes nothing but what it is told to keep. docs/aegis-verify.md.
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "core/bundle_check.hpp"
#include "core/checkpoint.hpp"
#include "core/encoding.hpp"
#include "core/error.hpp"
#include "core/note.hpp"

namespace {

using namespace aegis;

constexpr int kOk = 0, kFindings = 1, kUnusable = 2;

struct Failure {
    std::string message;
    std::string hint;
};

[[noreturn]] void fail(const std::string &message, const std::string &hint) {
    throw Failure{message, hint};
}

std::string hex_of(core::ByteView bytes) {
    std::string hex(core::hex_size(bytes.size), '?');
    core::to_hex(bytes, hex.data());
    return hex;
}

std::string time_text(int64_t micros) {
    const time_t seconds = static_cast<time_t>(micros / 1000000);
    struct tm utc {};
    char text[40];
    if (gmtime_r(&seconds, &utc) == nullptr ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        return std::to_string(micros) + " us";
    return text;
}

std::string json(const std::string &text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            char escape[8];
            snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned char>(c));
            out += escape;
        } else {
            out += c;
        }
    }
    return out + "\"";
}

// Text of the file for a terminal: nothing in it can move the cursor.
std::string plain(std::string text) {
    for (char &c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    return text;
}

class Input {
 public:
    explicit Input(const std::string &path) : path_(path) {
        if (path == "-") return;
        file_.open(path, std::ios::binary);
        if (!file_)
            fail("could not open \"" + path + "\": " + strerror(errno), "Check name and rights.");
    }
    // One line without its end. False at the end of the file; *ended tells whether a line end
    // stood.
    bool next(std::string *line, bool *ended) {
        std::istream &in = path_ == "-" ? std::cin : file_;
        if (!std::getline(in, *line)) {
            if (in.bad()) fail("could not read \"" + path_ + "\"", "Check the file system.");
            return false;
        }
        *ended = !in.eof();
        return true;
    }
    std::string all() {
        std::istream &in = path_ == "-" ? std::cin : file_;
        std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
        if (in.bad()) fail("could not read \"" + path_ + "\"", "Check the file system.");
        return text;
    }

 private:
    std::string path_;
    std::ifstream file_;
};

struct BundleOptions {
    std::string file, tenant, keep;
    std::vector<std::string> hashes, heads;
    bool as_json = false;
};

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
        while (file.next(&line, &ended)) {
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
    std::string digits;
    for (const char c : options.tenant)
        if (c != '-') digits += c;
    uint8_t tenant[16];
    if (digits.size() != 32)
        fail("\"" + plain(options.tenant) + "\" is not a UUID", "See aegis.tenants().");
    core::from_hex(digits, tenant);
    check->expect_tenant(tenant);
}

std::string kept_of(const BundleOptions &options) {
    return options.hashes.empty() && options.heads.empty() ? "nothing" : "the heads that were kept";
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
    if (check.findings() == 0)
        printf("result       ok: every hash follows from the entries\n");
    else
        printf("result       %llu findings\n", static_cast<unsigned long long>(check.findings()));
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
        "\"details\": [%s], \"keep\": %s}\n",
        check.findings() == 0 ? "ok" : "findings", json(check.database()).c_str(), tenant.c_str(),
        static_cast<long long>(check.exported_at()), static_cast<unsigned long long>(check.seals()),
        static_cast<unsigned long long>(check.heads()),
        static_cast<unsigned long long>(check.entries()), json(kept_of(options)).c_str(),
        static_cast<unsigned long long>(check.newest_seal()),
        hex_of(check.newest_hash().view()).c_str(),
        static_cast<unsigned long long>(check.findings()), findings.c_str(), keep.c_str());
}

void keep(const std::string &path, const std::string &lines) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << lines;
    file.close();
    if (!file) fail("could not write \"" + path + "\"", "Check the folder and your rights in it.");
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
    Input file(options.file);
    std::string line;
    bool ended = true;
    try {
        while (file.next(&line, &ended)) check.line(line);
        check.finish();
    } catch (const core::Error &error) {
        fail("\"" + options.file + "\", line " + std::to_string(check.line_number()) + ": " +
                 error.message,
             "The file is not a bundle, or was damaged or cut on its way: export it again.");
    }
    if (!ended) fail("\"" + options.file + "\": the last line has no end", "Export it again.");
    if (options.as_json)
        tell_json(options, check, details);
    else
        tell(options, check);
    if (check.findings() > 0) return kFindings;
    if (!options.keep.empty()) keep(options.keep, core::kept_lines(check));
    return kOk;
}

struct ProofOptions {
    std::string file, entry, entry_hex, origin;
    std::vector<std::string> keys;
    bool as_json = false;
};

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

int answer(const ProofOptions &options, const std::string &finding, const core::ProofFile &file,
           const core::Checkpoint &checkpoint) {
    if (options.as_json) {
        printf(
            "{\"result\": \"%s\", \"origin\": %s, \"index\": %llu, \"size\": %llu, \"root\": "
            "\"%s\", \"finding\": %s}\n",
            finding.empty() ? "ok" : "findings", json(checkpoint.origin).c_str(),
            static_cast<unsigned long long>(file.index),
            static_cast<unsigned long long>(checkpoint.size),
            hex_of(checkpoint.root.view()).c_str(),
            finding.empty() ? "null" : json(finding).c_str());
    } else if (finding.empty()) {
        printf("ok: the entry is leaf %llu of log \"%s\" at size %llu, signed by every key given\n",
               static_cast<unsigned long long>(file.index), plain(checkpoint.origin).c_str(),
               static_cast<unsigned long long>(checkpoint.size));
    } else {
        printf("finding: %s\n", finding.c_str());
    }
    return finding.empty() ? kOk : kFindings;
}

int check_proof(const ProofOptions &options) {
    std::vector<core::NoteKey> keys;
    for (const std::string &key : options.keys) {
        try {
            keys.push_back(core::parse_note_key(key));
        } catch (const core::Error &error) {
            fail("key \"" + plain(key) + "\": " + error.message,
                 "A key is name+8 hex digits+base64.");
        }
    }
    const std::string body = entry_of(options);
    const std::string text = Input(options.file).all();
    core::ProofFile file;
    core::Note note;
    core::Checkpoint checkpoint;
    try {
        file = core::parse_proof_file(text);
        note = core::parse_note(file.checkpoint);
        checkpoint = core::parse_checkpoint(note.text);
    } catch (const core::Error &error) {
        fail("\"" + options.file + "\": " + error.message, "It must be a C2SP tlog-proof.");
    }
    if (!options.origin.empty() && checkpoint.origin != options.origin)
        return answer(options,
                      "it is a checkpoint of another log, \"" + plain(checkpoint.origin) + "\"",
                      file, checkpoint);
    for (const core::NoteKey &key : keys) {
        std::string finding;
        try {
            if (!core::note_is_signed(note, key))
                finding = "the checkpoint is not signed by \"" + key.name + "\"";
        } catch (const core::Error &) {
            finding = "the signature of \"" + key.name + "\" does not verify";
        }
        if (!finding.empty()) return answer(options, finding, file, checkpoint);
    }
    if (!core::verify_inclusion(file.index, checkpoint.size,
                                core::merkle_leaf(core::as_bytes(body)), file.proof,
                                checkpoint.root))
        return answer(options, "the checkpoint does not cover this entry", file, checkpoint);
    return answer(options, "", file, checkpoint);
}

}  // namespace

int main(int argc, char **argv) {
    CLI::App app(
        "Checks ledgers and proofs of Aegis without a database.\n\n"
        "Exit status: 0 everything holds, 1 something does not, 2 the input cannot be used.",
        "aegis-verify");
    app.require_subcommand(1);
    app.set_version_flag("--version", AEGIS_VERSION);

    BundleOptions bundle;
    CLI::App *bundle_command = app.add_subcommand("bundle", "Check an exported ledger");
    bundle_command->add_option("file", bundle.file, "The bundle; - reads standard input")
        ->required();
    bundle_command->add_option("--seal-hash", bundle.hashes,
                               "Hash of a seal that was kept; the bundle must have it. Repeatable");
    bundle_command->add_option("--head", bundle.heads,
                               "File of heads that --keep wrote earlier. Repeatable");
    bundle_command->add_option("--tenant", bundle.tenant, "The bundle must be this tenant's");
    bundle_command->add_option("--keep", bundle.keep,
                               "Write the heads to compare with next time; only when all holds");
    bundle_command->add_flag("--json", bundle.as_json, "Print one JSON object");

    ProofOptions proof;
    CLI::App *proof_command = app.add_subcommand("proof", "Check a proof file for one entry");
    proof_command->add_option("file", proof.file, "The proof (.tlog-proof)")->required();
    proof_command->add_option("--key", proof.keys, "Key that must have signed (vkey). Repeatable")
        ->required();
    CLI::Option *entry =
        proof_command->add_option("--entry", proof.entry, "File with the entry's body");
    CLI::Option *hex = proof_command->add_option("--entry-hex", proof.entry_hex,
                                                 "The entry's body in hexadecimal");
    entry->excludes(hex);
    proof_command->add_option("--origin", proof.origin, "The log that must have been signed");
    proof_command->add_flag("--json", proof.as_json, "Print one JSON object");

    std::string message, hint;
    try {
        app.parse(argc, argv);
        if (proof_command->parsed() && proof.entry.empty() && proof.entry_hex.empty())
            fail("the entry is missing", "Give --entry FILE or --entry-hex HEX.");
        const int result = bundle_command->parsed() ? check_bundle(bundle) : check_proof(proof);
        if (fflush(stdout) != 0) fail("could not write the result", "Check where it goes.");
        return result;
    } catch (const CLI::ParseError &error) {
        return app.exit(error) == 0 ? kOk : kUnusable;
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
