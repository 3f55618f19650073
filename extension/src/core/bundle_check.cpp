// SPDX-License-Identifier: Apache-2.0
#include "core/bundle_check.hpp"

#include "core/encoding.hpp"
#include "core/entry.hpp"
#include "core/error.hpp"
#include "core/proof.hpp"

namespace aegis::core {

namespace {

constexpr uint64_t kMostFindings = 1000;

[[noreturn]] void malformed(const char *message) {
    throw Error{Code::malformed, message};
}

std::string text_of(ByteView bytes) {
    return {reinterpret_cast<const char *>(bytes.data), bytes.size};
}

std::string hex_of(ByteView bytes) {
    std::string hex(hex_size(bytes.size), '?');
    to_hex(bytes, hex.data());
    return hex;
}

Digest digest_of(ByteView bytes) {
    Digest digest;
    memcpy(digest.bytes, bytes.data, kDigestBytes);
    return digest;
}

std::string number(uint64_t n) {
    return std::to_string(n);
}

std::string log_name(ByteView tenant) {
    return tenant.size ? "the log of tenant " + uuid_text(tenant) : "the system's log";
}

}  // namespace

std::string uuid_text(ByteView uuid) {
    std::string text = hex_of(uuid);
    for (size_t at : {20u, 16u, 12u, 8u})
        if (at < text.size()) text.insert(at, 1, '-');
    return text;
}

void BundleCheck::expect_tenant(ByteView tenant) {
    expected_tenant_ = text_of(tenant);
}

void BundleCheck::find(const std::string &where, const std::string &what) {
    if (++findings_ <= kMostFindings) report_(where, what);
}

std::string BundleCheck::seal_name() const {
    return "seal " + number(number_);
}

void BundleCheck::line(std::string_view text) {
    ++lines_;
    bytes_.resize(base64_decoded_size(text));
    if (bytes_.empty()) malformed("an empty line");
    from_base64(text, {bytes_.data(), bytes_.size()});
    const ByteView bytes(bytes_.data(), bytes_.size());
    const BundleRecord record = decode_bundle_record(bytes);
    if (ended_) malformed("something follows the end of the bundle");
    if (begun_ == (record.kind == BundleKind::header))
        malformed(begun_ ? "a second header" : "the header is missing");
    if (due_ > 0 && record.kind != BundleKind::entry) malformed("entries are missing here");
    switch (record.kind) {
        case BundleKind::header:
            header(record);
            break;
        case BundleKind::seal:
            seal(record);
            break;
        case BundleKind::head:
            head(record);
            break;
        case BundleKind::entry:
            entry(record);
            break;
        case BundleKind::other_head:
            if (!in_seal_) malformed("a head outside of a seal");
            if (tenant_.empty()) malformed("a bundle of the whole ledger leaves no log out");
            append_to_root(digest_of(record.leaf));
            ++heads_;
            break;
        case BundleKind::end:
            end(record);
            break;
    }
    if (!ended_) chain_ = bundle_chain(chain_, bytes);
}

void BundleCheck::header(const BundleRecord &record) {
    begun_ = true;
    database_ = record.database;
    exported_at_ = record.exported_at;
    tenant_ = text_of(record.tenant);
    announced_ = record.newest_seal;
    if (!expected_tenant_.empty() && tenant_ != expected_tenant_)
        find("header", tenant_.empty()
                           ? "it is a bundle of the whole ledger, not of the tenant"
                           : "it is the bundle of another tenant: " + uuid_text(record.tenant));
}

void BundleCheck::seal(const BundleRecord &record) {
    close_seal();
    ++seals_;
    in_seal_ = true;
    seen_of_seal_ = 0;
    const Digest before = hash_;
    hash_ = seal_hash(record.body);
    SealFields fields{};
    try {
        fields = decode_seal(record.body);
        readable_ = true;
    } catch (const Error &) {
        readable_ = false;
    }
    if (!readable_) {
        ++number_;
        find(seal_name(), "its body is not a seal");
        keep_seal();
        return;
    }
    const uint64_t last = number_;
    number_ = fields.number;
    if (fields.number != last + 1)
        find(seal_name(), "it follows seal " + number(last) + ": seals are missing or repeated");
    if (fields.previous != before)
        find(seal_name(),
             "it does not follow the hash of the seal before it: that seal was "
             "changed, or this one");
    if (fields.epoch < epoch_)
        find(seal_name(),
             "its epoch " + number(fields.epoch) + " comes after epoch " + number(epoch_));
    epoch_ = fields.epoch;
    entries_of_seal_ = fields.entries;
    root_size_ = fields.root_size;
    root_ = fields.root;
    keep_seal();
}

// The current seal against what was kept.
void BundleCheck::keep_seal() {
    for (auto &expected : kept_seals_) {
        const KeptSeal &kept = expected.kept;
        if (kept.number == 0) {
            if (kept.hash == hash_) expected.found = true;
        } else if (kept.number == number_ && !expected.found) {
            expected.found = true;
            if (kept.hash != hash_)
                find(seal_name(),
                     "it is not the seal that was kept, whose hash is " + hex_of(kept.hash.view()) +
                         ": the ledger was rewritten, or put back to an older state and used on");
        }
    }
}

void BundleCheck::close_seal() {
    if (!in_seal_) return;
    in_seal_ = false;
    log_ = nullptr;
    if (!readable_) return;
    if (tenant_.empty() && seen_of_seal_ != entries_of_seal_)
        find(seal_name(), "it covers " + number(entries_of_seal_) + " entries, but " +
                              number(seen_of_seal_) + " stand in it");
    const bool agrees = root_log_.size == root_size_ && root_log_.root() == root_;
    if (!agrees && root_agreed_)
        find(seal_name(),
             "its root is not what the heads of the logs hash to: a head was "
             "changed, added or removed, here or in the seals that follow");
    root_agreed_ = agrees;
}

void BundleCheck::head(const BundleRecord &record) {
    if (!in_seal_) malformed("a head outside of a seal");
    if (!tenant_.empty() && text_of(record.tenant) != tenant_)
        malformed("the bundle of one tenant shows another's log");
    ++heads_;
    log_id_ = text_of(record.log_id);
    log_name_ = log_name(record.tenant);
    const std::string tenant = text_of(record.tenant);
    const auto [at, is_new] = logs_.try_emplace(log_id_);
    log_ = &at->second;
    const std::string where = seal_name() + ", " + log_name_;
    if (is_new) {
        log_->tenant = tenant;
        if (!log_of_tenant_.emplace(tenant, log_id_).second)
            find(where, "there are two logs of this tenant");
    } else if (log_->tenant != tenant) {
        find(where, "the log belonged to another tenant before");
    } else if (log_->last_seal == number_) {
        find(where, "it has two heads in this seal");
    }
    log_->last_seal = number_;
    if (record.entries == 0 || log_->size + record.entries != record.size) {
        if (!log_->broken)
            find(where, "its size goes from " + number(log_->size) + " to " + number(record.size) +
                            " with " + number(record.entries) +
                            " entries: leaves are missing or repeated");
        log_->broken = true;
    }
    log_->size = record.size;
    log_->root = digest_of(record.root);
    append_to_root(head_leaf(record.log_id, record.size, log_->root));
    next_leaf_ = record.size < record.entries ? 0 : record.size - record.entries;
    due_ = record.entries;
    has_seq_ = false;
    if (due_ == 0) close_log();
}

void BundleCheck::check_body(const BundleRecord &record, const std::string &where) {
    EntryFields fields;
    try {
        fields = decode_entry(record.body);
    } catch (const Error &) {
        find(where, "its body is not an entry");
        return;
    }
    if (text_of(fields.tenant) != log_->tenant)
        find(where, "its body belongs to another log: it was moved");
    if (readable_ && fields.epoch > epoch_) find(where, "its body is of a later epoch");
    read_cut_entry(fields, where);
}

// The newest cut of a log says all that the ones before it say.
void BundleCheck::read_cut_entry(const EntryFields &fields, const std::string &where) {
    Cut cut;
    try {
        if (!read_cut(fields, &cut)) return;
    } catch (const Error &) {
        find(where, "it does not say what was cut");
        return;
    }
    const uint64_t leaf = next_leaf_ - 1;
    if (cut.size > leaf || cut.size <= log_->cut.size) {
        find(where, "it says that leaves below " + number(cut.size) +
                        " were cut, which is not what a cut at this place can say");
        return;
    }
    log_->cut = {cut.size,
                 leaf,
                 fields.unix_micros,
                 cut.root,
                 std::string(cut.requested_by),
                 std::string(cut.approved_by),
                 std::string(cut.reason)};
}

// What has no body must have been cut, and an entry of the same log must say so.
void BundleCheck::check_cuts() {
    for (const auto &[id, log] : logs_) {
        if (log.hollow == 0) continue;
        const std::string where = log_name(as_bytes(log.tenant));
        if (log.cut.size < log.hollow_to)
            find(where, number(log.hollow) + " entries below leaf " + number(log.hollow_to) +
                            " have no body, and no entry of the log says that they were cut: they "
                            "were deleted");
        else if (log.cut.size == log.hollow_to && log.has_hollow_root &&
                 log.cut.root != log.hollow_root)
            find(where, "the entry that says that leaves below " + number(log.cut.size) +
                            " were cut names another root than the log had there");
    }
}

void BundleCheck::entry(const BundleRecord &record) {
    if (due_ == 0) malformed("an entry outside of a log");
    --due_;
    ++entries_;
    ++seen_of_seal_;
    const std::string where = seal_name() + ", " + log_name_ + ", leaf " + number(next_leaf_++) +
                              " (entry seq " + std::to_string(record.seq) + ")";
    Digest leaf{};
    if (record.body.size == 0 && record.leaf.size != 0) {
        ++log_->hollow;
        log_->hollow_to = next_leaf_;
        log_->has_hollow_root = false;
    } else if (record.body.size == 0) {
        find(where, "it is sealed and missing: it was deleted");
    } else {
        leaf = leaf_hash(record.body);
        if (record.leaf.size == 0)
            find(where, "its leaf is missing");
        else if (digest_of(record.leaf) != leaf)
            find(where, "its body was changed: it does not have the hash that was stored with it");
        check_body(record, where);
    }
    if (has_seq_ && record.seq <= last_seq_) find(where, "it is out of order");
    last_seq_ = record.seq;
    has_seq_ = true;
    // The stored one when there is: a fault that is reported is not multiplied.
    log_->frontier.append(record.leaf.size ? digest_of(record.leaf) : leaf);
    if (due_ == 0) close_log();
}

void BundleCheck::close_log() {
    const std::string where = seal_name() + ", " + log_name_;
    if (!log_->broken) {
        const bool agrees = log_->frontier.root() == log_->root;
        if (!agrees && log_->agreed)
            find(where, "its root at size " + number(log_->size) +
                            " is not what its entries hash to: an entry was changed, inserted or "
                            "moved, or the head was changed");
        log_->agreed = agrees;
    }
    if (log_->hollow > 0 && log_->hollow_to == log_->size) {
        log_->hollow_root = log_->root;
        log_->has_hollow_root = true;
    }
    for (auto &expected : kept_logs_) {
        const KeptLog &kept = expected.kept;
        if (text_of(kept.id.view()) != log_id_ || kept.size != log_->size || expected.found)
            continue;
        expected.found = true;
        if (kept.root != log_->root)
            find(where, "its root at size " + number(kept.size) +
                            " is not the one that was kept, " + hex_of(kept.root.view()) +
                            ": entries were rewritten");
    }
}

// The root log grows by one head; at a signed size it must have the signed root.
void BundleCheck::append_to_root(const Digest &leaf) {
    root_log_.append(leaf);
    for (auto &expected : kept_roots_) {
        const KeptRoot &kept = expected.kept;
        if (kept.size != root_log_.size) continue;
        expected.found = true;
        if (root_log_.root() != kept.root)
            find(seal_name(), "the root log at size " + number(kept.size) +
                                  " is not the one that the checkpoint signs: the ledger was "
                                  "rewritten, or put back to an older state and used on");
    }
}

void BundleCheck::check_kept_at_end() {
    for (const auto &[kept, found] : kept_roots_)
        if (!found)
            find("end", "the signed checkpoint has " + number(kept.size) + " heads, the ledger " +
                            number(root_log_.size) +
                            ": its end was cut off, or an older state was restored");
    for (const auto &[kept, found] : kept_seals_) {
        if (found) continue;
        if (kept.number == 0)
            find("end", "no seal has the hash that was kept, " + hex_of(kept.hash.view()) +
                            ": the ledger was rewritten, cut, or put back to an older state");
        else if (kept.number > number_)
            find("end", "the kept seal " + number(kept.number) +
                            " is not there, the ledger ends with seal " + number(number_) +
                            ": its end was cut off, or an older state was restored");
        else
            find("end", "the kept seal " + number(kept.number) + " is missing");
    }
    for (const auto &[kept, found] : kept_logs_)
        if (!found)
            find("end", "the kept head of log " + hex_of(kept.id.view()) + " at size " +
                            number(kept.size) +
                            " is not there: the log was rewritten, cut, or left out");
}

void BundleCheck::end(const BundleRecord &record) {
    close_seal();
    ended_ = true;
    if (announced_ != number_)
        find("header", "it announces seal " + number(announced_) + ", the bundle ends with seal " +
                           number(number_));
    if (record.seals != seals_ || record.heads != heads_ || record.entries != entries_)
        find("end", "it counts " + number(record.seals) + " seals, " + number(record.heads) +
                        " heads and " + number(record.entries) + " entries, but there are " +
                        number(seals_) + ", " + number(heads_) + " and " + number(entries_));
    if (digest_of(record.chain) != chain_)
        find("end", "the file is not as it was written: the chain over its lines differs");
    check_cuts();
    check_kept_at_end();
}

void BundleCheck::finish() {
    if (!begun_) malformed("the file is empty");
    if (!ended_) malformed("the file ends before the end of the bundle");
}

namespace {

// Cuts the next word off a line whose words are separated by one space.
std::string_view word(std::string_view *line) {
    const size_t space = line->find(' ');
    const std::string_view first = line->substr(0, space);
    *line = space == std::string_view::npos ? std::string_view() : line->substr(space + 1);
    if (space != std::string_view::npos && line->empty())
        malformed("a kept head ends with a space");
    return first;
}

void want(std::string_view got, std::string_view wanted) {
    if (got != wanted)
        malformed("not a kept head: \"seal N hash HEX\" or \"log HEX size N root HEX\"");
}

uint64_t parse_number(std::string_view digits) {
    uint64_t value = 0;
    if (digits.empty() || digits.size() > 19 || digits.front() == '0')
        malformed("a number of a kept head must be positive, without leading zeros");
    for (char c : digits) {
        if (c < '0' || c > '9') malformed("a number of a kept head has other characters");
        value = value * 10 + static_cast<uint64_t>(c - '0');
    }
    return value;
}

Digest parse_digest(std::string_view hex) {
    Digest digest;
    if (hex.size() != hex_size(kDigestBytes)) malformed("a hash has 64 hexadecimal digits");
    from_hex(hex, digest.bytes);
    return digest;
}

}  // namespace

void expect_kept(std::string_view line, BundleCheck *check) {
    const std::string_view kind = word(&line);
    if (kind == "seal") {
        KeptSeal kept;
        kept.number = parse_number(word(&line));
        want(word(&line), "hash");
        kept.hash = parse_digest(word(&line));
        check->expect(kept);
    } else {
        want(kind, "log");
        KeptLog kept;
        kept.id = parse_digest(word(&line));
        want(word(&line), "size");
        kept.size = parse_number(word(&line));
        want(word(&line), "root");
        kept.root = parse_digest(word(&line));
        check->expect(kept);
    }
    want(line, "");
}

std::string kept_lines(const BundleCheck &check) {
    std::string text;
    if (check.newest_seal() > 0)
        text = "seal " + number(check.newest_seal()) + " hash " +
               hex_of(check.newest_hash().view()) + "\n";
    if (check.tenant().empty()) return text;  // the seal says it all
    for (const auto &[id, log] : check.logs())
        text += "log " + hex_of(as_bytes(id)) + " size " + number(log.size) + " root " +
                hex_of(log.root.view()) + "\n";
    return text;
}

}  // namespace aegis::core
