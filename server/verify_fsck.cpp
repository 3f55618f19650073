// SPDX-License-Identifier: Apache-2.0
#include "verify_fsck.hpp"

#include <cstdio>
#include <ctime>

#include "core/cut.hpp"
#include "core/entry.hpp"
#include "core/error.hpp"
#include "core/receipt.hpp"
#include "core/tile_path.hpp"
#include "verify_io.hpp"
#include "verify_proof.hpp"

namespace aegis::verify_tool {

namespace {

constexpr size_t kMaxReceiptBytes = size_t{1} << 20;
constexpr size_t kMaxBundleBytes = core::kTileWidth * (2 + core::kMaxBundledEntryBytes);
// A source that has gone away is not asked for every tile of a long log.
constexpr unsigned kMostLost = 16;
constexpr int kProgressSeconds = 2;
constexpr core::Digest kUnknown = {};  // of a tile that could not be read

struct Head {  // what somebody signed about the log
    std::string name;
    uint64_t size = 0;
    core::Digest root;
    std::string cosigned;
};

class Fsck {
 public:
    explicit Fsck(const FsckOptions &options)
        : options_(options), source_(open_source(options.source)) {}

    int run();

 private:
    Head signed_head();
    core::Checkpoint checked(const std::string &text, const std::string &path, Head *head);
    void find(const std::string &where, const std::string &what);
    std::optional<std::string> fetch(const core::TilePath &path, size_t most);
    void read_entry(std::string_view body, uint64_t leaf);
    void check_cut();
    std::vector<core::Digest> tile(unsigned level, uint64_t index, unsigned width);
    void entries(uint64_t index, const std::vector<core::Digest> &leaves);
    void level(unsigned level, std::vector<core::Digest> *below);
    void progress(uint64_t done, uint64_t all);
    int tell(const Head &head) const;

    const FsckOptions &options_;
    std::unique_ptr<FsckSource> source_;
    uint64_t size_ = 0;
    core::Frontier frontier_;
    bool whole_ = true;  // every leaf hash was read
    unsigned lost_ = 0;  // in a row
    // Bundles without entries, the last of which begins at gone_from_ and ends before gone_to_; and
    // the newest entry that says what was cut.
    uint64_t gone_from_ = 0, gone_to_ = 0;
    uint64_t cut_size_ = 0;
    std::string cut_by_;
    uint64_t tiles_ = 0, entries_ = 0, findings_ = 0;
    std::string details_;
    time_t told_ = 0;
};

void Fsck::find(const std::string &where, const std::string &what) {
    ++findings_;
    if (options_.as_json)
        details_ += (details_.empty() ? "" : ", ") + ("{\"where\": " + json(where)) +
                    ", \"what\": " + json(what) + "}";
    else
        printf("finding      %s: %s\n", plain(where).c_str(), plain(what).c_str());
}

// A checkpoint that is not what it should be is of no use, whatever the tiles say.
core::Checkpoint Fsck::checked(const std::string &text, const std::string &path, Head *head) {
    const std::vector<core::NoteKey> keys = parse_keys(options_.keys);
    const Policy policy(options_.policy, keys);
    const char *hint = "Check where the keys come from, and whether this is the log that you mean.";
    try {
        const core::Note note = core::parse_note(text);
        const core::Checkpoint checkpoint = core::parse_checkpoint(note.text);
        bool ours = checkpoint.origin == options_.origin;
        for (const core::NoteKey &key : keys) {
            if (!core::note_is_signed(note, key))
                fail("\"" + path + "\" is not signed by \"" + key.name + "\"", hint);
            ours = ours || (options_.origin.empty() && checkpoint.origin == key.name);
        }
        if (!ours)
            fail("\"" + path + "\" is about another log, \"" + plain(checkpoint.origin) + "\"",
                 hint);
        const std::string finding = policy.finding(note);
        if (!finding.empty()) fail("\"" + path + "\": " + finding, hint);
        head->name = checkpoint.origin;
        head->cosigned = policy.cosigned(note);
        return checkpoint;
    } catch (const core::Error &error) {
        fail("\"" + path + "\": " + error.message, hint);
    }
}

Head Fsck::signed_head() {
    const std::string path = options_.tenant_log ? "receipt" : "checkpoint";
    std::string why;
    const std::optional<std::string> text =
        source_->read(path, options_.tenant_log ? kMaxReceiptBytes : core::kMaxNoteBytes, &why);
    if (!text)
        fail("could not read \"" + path + "\": " + plain(why),
             "Give the address above it; it must be a log of Aegis.");
    Head head;
    if (!options_.tenant_log) {
        const core::Checkpoint checkpoint = checked(*text, path, &head);
        head.size = checkpoint.size;
        head.root = checkpoint.root;
        return head;
    }
    try {
        const core::Receipt receipt = core::parse_receipt(*text);
        const core::Checkpoint checkpoint = checked(receipt.note, path, &head);
        core::Digest leaf;
        if (!core::verify_receipt(receipt, checkpoint) ||
            !core::receipt_head(receipt, &head.root, &leaf))
            fail("\"" + path + "\" does not lead to its checkpoint", "Ask for another copy.");
        head.size = receipt.size;
        head.name += ", log " + hex_of(receipt.log_id);
        return head;
    } catch (const core::Error &error) {
        fail("\"" + path + "\": " + error.message, "It must be a receipt of Aegis.");
    }
}

std::optional<std::string> Fsck::fetch(const core::TilePath &path, size_t most) {
    const std::string name = core::format_tile_path(path);
    std::string why;
    std::optional<std::string> bytes = source_->read(name, most, &why);
    if (!bytes && path.entries && options_.tenant_log && source_->was_gone()) {
        gone_from_ = path.index * core::kTileWidth;
        gone_to_ = gone_from_ + path.width;
        return bytes;
    }
    lost_ = bytes ? 0 : lost_ + 1;
    if (!bytes) find(name, "it could not be read: " + why);
    if (lost_ == kMostLost)
        fail("the log cannot be read any more: " + plain(why), "Try again later.");
    return bytes;
}

// Empty when it is not there, or not of its size.
std::vector<core::Digest> Fsck::tile(unsigned level, uint64_t index, unsigned width) {
    core::TilePath path;
    path.level = level;
    path.index = index;
    path.width = width;
    const size_t size = width * core::kDigestBytes;
    const std::optional<std::string> bytes = fetch(path, size);
    ++tiles_;
    std::vector<core::Digest> hashes;
    if (!bytes) return hashes;
    if (bytes->size() != size) {
        find(core::format_tile_path(path),
             "it has " + std::to_string(bytes->size()) + " bytes, not " + std::to_string(size));
        return hashes;
    }
    hashes.resize(width);
    memcpy(hashes.data(), bytes->data(), size);
    return hashes;
}

void Fsck::entries(uint64_t index, const std::vector<core::Digest> &leaves) {
    core::TilePath path;
    path.entries = true;
    path.index = index;
    path.width = static_cast<unsigned>(leaves.size());
    const std::optional<std::string> bytes = fetch(path, kMaxBundleBytes);
    if (!bytes) return;
    std::vector<std::string_view> bundle;
    try {
        bundle = core::parse_entry_bundle(*bytes, path.width);
    } catch (const core::Error &error) {
        find(core::format_tile_path(path), error.message);
        return;
    }
    for (size_t i = 0; i < bundle.size(); ++i) {
        const std::string where = "leaf " + std::to_string(index * core::kTileWidth + i);
        ++entries_;
        if (core::merkle_leaf(core::as_bytes(bundle[i])) != leaves[i]) {
            find(where, "its entry is not what its hash is of");
            continue;
        }
        if (options_.tenant_log) read_entry(bundle[i], index * core::kTileWidth + i);
    }
}

// The newest cut says all that the ones before it say; it can only be about leaves before its own.
void Fsck::read_entry(std::string_view body, uint64_t leaf) {
    try {
        const core::EntryFields fields = core::decode_entry(core::as_bytes(body));
        core::Cut cut;
        if (!core::read_cut(fields, &cut) || cut.size > leaf || cut.size <= cut_size_) return;
        cut_by_ = "at " + time_text(fields.unix_micros) + ", asked for by " +
                  std::string(cut.requested_by) + ", agreed to by " + std::string(cut.approved_by) +
                  ": " + std::string(cut.reason) + " (its leaf " + std::to_string(leaf) +
                  " says so)";
        cut_size_ = cut.size;
    } catch (const core::Error &) {
        find("leaf " + std::to_string(leaf), "its entry is none of Aegis");
    }
}

// Entries that are gone must have been cut, and an entry behind them must say so.
void Fsck::check_cut() {
    if (gone_to_ > 0 && cut_size_ <= gone_from_)
        find("the log", "entries below leaf " + std::to_string(gone_to_) +
                            " are gone, and no entry that can be read says that they were cut");
}

core::Digest root_of(const core::Digest *hashes, size_t count) {
    if (count == 1) return *hashes;
    return core::merkle_node(root_of(hashes, count / 2), root_of(hashes + count / 2, count / 2));
}

// Reads one level, compares it with what the level below it hashes to, and leaves what its own full
// tiles hash to. Level 0 has nothing below it but the entries.
void Fsck::level(unsigned level, std::vector<core::Digest> *below) {
    std::vector<core::Digest> above;
    unsigned width;
    for (uint64_t index = 0; (width = core::tile_width(size_, level, index)) > 0; ++index) {
        const std::vector<core::Digest> hashes = tile(level, index, width);
        const uint64_t first = index * core::kTileWidth;
        for (size_t i = 0; level > 0 && i < hashes.size(); ++i)
            if ((*below)[first + i] != kUnknown && hashes[i] != (*below)[first + i])
                find("tile of level " + std::to_string(level) + ", hash " +
                         std::to_string(first + i),
                     "the tile below it, " + std::to_string(first + i) +
                         ", hashes to something else: one of the two was changed");
        if (level == 0) {
            whole_ = whole_ && !hashes.empty();
            for (const core::Digest &leaf : hashes) frontier_.append(leaf);
            if (!hashes.empty() && !options_.hashes_only) entries(index, hashes);
            progress(first + width, size_);
        }
        if (width == core::kTileWidth)
            above.push_back(hashes.empty() ? kUnknown : root_of(hashes.data(), width));
    }
    *below = std::move(above);
}

void Fsck::progress(uint64_t done, uint64_t all) {
    const time_t now = time(nullptr);
    if (!options_.progress || (now - told_ < kProgressSeconds && done < all)) return;
    told_ = now;
    fprintf(stderr, "aegis-verify: %llu of %llu leaves\n", static_cast<unsigned long long>(done),
            static_cast<unsigned long long>(all));
}

int Fsck::tell(const Head &head) const {
    const unsigned long long size = head.size, tiles = tiles_, entries = entries_,
                             findings = findings_;
    if (options_.as_json) {
        printf(
            "{\"result\": \"%s\", \"log\": %s, \"size\": %llu, \"root\": \"%s\", \"cosigned\": %s, "
            "\"tiles\": %llu, \"entries\": %llu, \"unread\": %llu, \"findings\": %llu, "
            "\"details\": "
            "[%s]}\n",
            findings_ == 0 ? "ok" : "findings", json(head.name).c_str(), size,
            hex_of(head.root.view()).c_str(),
            head.cosigned.empty() ? "null" : json(head.cosigned).c_str(), tiles, entries,
            static_cast<unsigned long long>(gone_to_), findings, details_.c_str());
    } else {
        printf("log          %s\n", plain(head.name).c_str());
        printf("checkpoint   size %llu, root %s\n", size, hex_of(head.root.view()).c_str());
        if (!head.cosigned.empty()) printf("witnesses    %s\n", head.cosigned.c_str());
        printf("read         %llu tiles, %llu entries\n", tiles, entries);
        if (gone_to_ > 0 && findings_ == 0)
            printf("cut          below leaf %llu, %s; entries below leaf %llu were not read\n",
                   static_cast<unsigned long long>(cut_size_), plain(cut_by_).c_str(),
                   static_cast<unsigned long long>(gone_to_));
        if (findings_ > 0)
            printf("result       %llu findings\n", findings);
        else
            printf("result       ok: every hash follows%s, and they lead to the signed root\n",
                   options_.hashes_only ? "; entries were not read" : " from the entries");
    }
    return findings_ == 0 ? kOk : kFindings;
}

int Fsck::run() {
    const Head head = signed_head();
    size_ = head.size;
    std::vector<core::Digest> below;
    for (unsigned at = 0; at <= core::kMaxTileLevel && core::tile_width(size_, at, 0) > 0; ++at)
        level(at, &below);
    if (whole_ && frontier_.root() != head.root)
        find("the log", "its leaves do not lead to the root that was signed");
    check_cut();
    return tell(head);
}

}  // namespace

int check_log(const FsckOptions &options) {
    return Fsck(options).run();
}

}  // namespace aegis::verify_tool
