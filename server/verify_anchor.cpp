// SPDX-License-Identifier: Apache-2.0
#include "verify_anchor.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>

#include "core/anchor.hpp"
#include "core/error.hpp"
#include "core/timestamp.hpp"
#include "pattern.hpp"
#include "verify_bundle.hpp"
#include "verify_io.hpp"
#include "verify_proof.hpp"

namespace aegis::verify_tool {

namespace {

constexpr size_t kHexDigits = 2 * core::kDigestBytes;

struct Anchored {
    core::Digest root;
    std::string note;  // the anchored bytes
    std::string path;
};

class AnchorCheck {
 public:
    explicit AnchorCheck(const AnchorOptions &options)
        : options_(options), key_(parse_keys({options.key}).front()) {
        if (key_.type != core::NoteKeyType::ed25519)
            fail("this is the key of a witness, not a log's", "Give the vkey of the signer.");
        origin_ = options.origin.empty() ? key_.name : options.origin;
        core::Checkpoint named;
        named.origin = origin_;
        prefix_ = core::anchor_name(named).substr(0, kHexDigits + 1);
    }

    void run() {
        for (const std::string &place : options_.places) {
            std::error_code none;
            if (std::filesystem::is_directory(place, none))
                read_folder(place);
            else
                read_note(place, std::filesystem::path(place).filename().string());
        }
        if (anchored_.empty() && findings_ == 0)
            fail("there is no checkpoint of \"" + plain(origin_) + "\"",
                 "Files are called HEX.SIZE.checkpoint; --origin names another log.");
        if (!options_.stamp.empty()) check_stamp();
        if (!options_.bundle.empty()) check_bundle();
    }

    int tell() const { return options_.as_json ? tell_json() : tell_text(); }

 private:
    void find(const std::string &where, const std::string &what) {
        ++findings_;
        if (options_.as_json)
            details_ += (details_.empty() ? "" : ", ") + ("{\"where\": " + json(where)) +
                        ", \"what\": " + json(what) + "}";
        else
            printf("finding      %s: %s\n", plain(where).c_str(), what.c_str());
    }

    // Files of other logs are somebody else's business.
    void read_folder(const std::string &folder) {
        std::vector<std::string> names;
        try {
            for (const auto &entry : std::filesystem::directory_iterator(folder))
                if (entry.path().filename().string().compare(0, prefix_.size(), prefix_) == 0)
                    names.push_back(entry.path().filename().string());
        } catch (const std::filesystem::filesystem_error &) {
            fail("could not read the folder \"" + plain(folder) + "\"", "Check your rights in it.");
        }
        std::sort(names.begin(), names.end());
        for (const std::string &name : names) read_note(folder + "/" + name, name);
    }

    void read_note(const std::string &path, const std::string &name) {
        static const server::Pattern anchored_name("[0-9a-f]{64}\\.[0-9]{20}\\.checkpoint");
        const std::string text = Input(path).note(core::kMaxNoteBytes + 1);
        Anchored found;
        core::Checkpoint checkpoint;
        try {
            const core::Note note = core::parse_note(text);
            checkpoint = core::parse_checkpoint(note.text);
            found.note = core::anchored_note(note, key_);
        } catch (const core::Error &error) {
            find(path, error.code == core::Code::cannot_open
                           ? "it is not signed by \"" + key_.name + "\""
                           : error.message);
            return;
        }
        if (checkpoint.origin != origin_) {
            find(path, "it is a checkpoint of another log, \"" + plain(checkpoint.origin) + "\"");
            return;
        }
        if (anchored_name.fits(name) && name != core::anchor_name(checkpoint))
            find(path, "its name says another log or another size");
        found.root = checkpoint.root;
        found.path = path;
        const auto [at, is_new] = anchored_.emplace(checkpoint.size, found);
        if (!is_new && at->second.note != found.note)
            find(path, "\"" + plain(at->second.path) +
                           "\" is another checkpoint of the same size: "
                           "the log has two histories");
    }

    void check_stamp() {
        if (anchored_.size() != 1)
            fail("a time stamp is about one checkpoint, and " + std::to_string(anchored_.size()) +
                     " are given",
                 "Give the file that was stamped.");
        const std::string response = Input(options_.stamp).all(core::kMaxTimestampResponseBytes);
        const std::string authorities = Input(options_.authority).all(core::kMaxAuthorityBytes);
        const core::Digest digest = core::sha256(core::as_bytes(anchored_.begin()->second.note));
        try {
            core::count_authorities(authorities);
        } catch (const core::Error &error) {
            fail("\"" + options_.authority + "\": " + error.message,
                 "Get them from the authority, not from whoever gave you the stamp.");
        }
        try {
            stamp_ = core::open_timestamp(core::as_bytes(response), digest, authorities);
        } catch (const core::Error &error) {
            find(options_.stamp, error.message);
        }
    }

    void check_bundle() {
        core::BundleCheck check(
            [&](const std::string &where, const std::string &what) { find(where, what); });
        for (const auto &[size, found] : anchored_) check.expect(core::KeptRoot{size, found.root});
        read_bundle(options_.bundle, &check);
    }

    std::string compared() const {
        if (options_.bundle.empty()) return options_.stamp.empty() ? "nothing" : "the time stamp";
        return options_.stamp.empty() ? "the bundle" : "the time stamp and the bundle";
    }

    int tell_text() const {
        if (!anchored_.empty())
            printf("anchored     %zu checkpoints of \"%s\", from size %llu to %llu, root %s\n",
                   anchored_.size(), plain(origin_).c_str(),
                   static_cast<unsigned long long>(anchored_.begin()->first),
                   static_cast<unsigned long long>(anchored_.rbegin()->first),
                   hex_of(anchored_.rbegin()->second.root.view()).c_str());
        if (!stamp_.serial.empty())
            printf("stamped      at %s, stamp %s\n", time_text(stamp_.seconds * 1000000).c_str(),
                   stamp_.serial.c_str());
        printf("compared     with %s\n", compared().c_str());
        if (findings_ == 0)
            printf("result       ok: the log's key signed each, and they are one history%s\n",
                   options_.bundle.empty() ? "" : ", that of the bundle");
        else
            printf("result       %llu findings\n", static_cast<unsigned long long>(findings_));
        return findings_ == 0 ? kOk : kFindings;
    }

    int tell_json() const {
        const std::string last =
            anchored_.empty() ? "null" : std::to_string(anchored_.rbegin()->first);
        printf(
            "{\"result\": \"%s\", \"origin\": %s, \"checkpoints\": %zu, \"size\": %s, "
            "\"root\": %s, \"stamped_at\": %s, \"stamp\": %s, \"compared\": %s, "
            "\"findings\": %llu, \"details\": [%s]}\n",
            findings_ == 0 ? "ok" : "findings", json(origin_).c_str(), anchored_.size(),
            last.c_str(),
            anchored_.empty() ? "null"
                              : json(hex_of(anchored_.rbegin()->second.root.view())).c_str(),
            stamp_.serial.empty() ? "null" : std::to_string(stamp_.seconds).c_str(),
            stamp_.serial.empty() ? "null" : json(stamp_.serial).c_str(), json(compared()).c_str(),
            static_cast<unsigned long long>(findings_), details_.c_str());
        return findings_ == 0 ? kOk : kFindings;
    }

    const AnchorOptions &options_;
    const core::NoteKey key_;
    std::string origin_, prefix_, details_;
    std::map<uint64_t, Anchored> anchored_;
    core::Timestamp stamp_;
    uint64_t findings_ = 0;
};

}  // namespace

void add_anchor_command(command_line::Command *program, AnchorOptions *options) {
    command_line::Command command = options->command =
        program->command("anchor", "Check what anchors kept of a ledger's checkpoints");
    command
        .option("places", &options->places,
                "Files of checkpoints, and folders of them; - reads standard input")
        .required();
    command.option("--key", &options->key, "Key of the log that must have signed (vkey)")
        .required();
    command.option("--origin", &options->origin,
                   "The log of the checkpoints, when it is not called as the key");
    const command_line::Option stamp = command.option(
        "--stamp", &options->stamp, "Time stamp of the checkpoint (RFC 3161 response, DER)");
    const command_line::Option authority = command.option(
        "--authority", &options->authority, "PEM with the authorities that the stamp must lead to");
    stamp.needs(authority);
    authority.needs(stamp);
    command.option("--bundle", &options->bundle,
                   "An exported ledger, which must contain every checkpoint");
    command.flag("--json", &options->as_json, "Print one JSON object");
}

int check_anchor(const AnchorOptions &options) {
    AnchorCheck check(options);
    check.run();
    return check.tell();
}

}  // namespace aegis::verify_tool
