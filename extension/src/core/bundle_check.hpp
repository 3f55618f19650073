// SPDX-License-Identifier: Apache-2.0
// Checks an exported ledger, line by line as it is read: derives every leaf, root and seal hash
// from the entries' bodies and compares them with what the file says and with what the caller
// kept from an earlier export. Memory grows with the number of logs, not with that of entries.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/bundle.hpp"
#include "core/cut.hpp"

namespace aegis::core {

// What somebody kept of an earlier export.
struct KeptSeal {
    uint64_t number = 0;  // 0: of any number
    Digest hash;
};
struct KeptLog {
    Digest id;
    uint64_t size = 0;
    Digest root;
};

struct KeptRoot {  // of the root log: what a signed checkpoint says
    uint64_t size = 0;
    Digest root;
};

struct BundleCut {  // what the newest entry of a log says that was cut
    uint64_t size = 0, leaf = 0;
    int64_t unix_micros = 0;
    Digest root{};
    std::string requested_by, approved_by, reason;
};

struct BundleLog {       // the head of a log so far
    std::string tenant;  // 16 bytes, or empty
    Frontier frontier;
    uint64_t size = 0;  // as its last head says
    Digest root;
    uint64_t last_seal = 0;  // that has a head of it
    bool agreed = true;      // the last head followed from the entries
    bool broken = false;     // its leaves have a gap: nothing after it can be compared
    uint64_t hollow = 0;     // leaves without a body
    uint64_t hollow_to = 0;  // one more than the last of them
    Digest hollow_root{};    // of the log at this size, when a head has it
    bool has_hollow_root = false;
    BundleCut cut;
};

class BundleCheck {
 public:
    // Gets each finding: where it is, in words, and what is wrong.
    using Report = std::function<void(const std::string &where, const std::string &what)>;

    explicit BundleCheck(Report report) : report_(std::move(report)) {}
    void expect_tenant(ByteView tenant);  // 16 bytes; the bundle must be this tenant's
    void expect(const KeptSeal &kept) { kept_seals_.push_back({kept, false}); }
    void expect(const KeptRoot &kept) { kept_roots_.push_back({kept, kept.size == 0}); }
    void expect(const KeptLog &kept) { kept_logs_.push_back({kept, false}); }

    // One line without its line end. Throws malformed when it is none of a bundle or stands in the
    // wrong place; line_number() says which.
    void line(std::string_view text);
    // After the last line. Throws malformed when the file ends too early.
    void finish();

    uint64_t line_number() const { return lines_; }
    const std::string &database() const { return database_; }
    int64_t exported_at() const { return exported_at_; }
    const std::string &tenant() const { return tenant_; }  // 16 bytes, or empty for all
    uint64_t seals() const { return seals_; }
    uint64_t heads() const { return heads_; }
    uint64_t entries() const { return entries_; }
    uint64_t findings() const { return findings_; }
    uint64_t newest_seal() const { return number_; }  // 0: none
    const Digest &newest_hash() const { return hash_; }
    const std::map<std::string, BundleLog> &logs() const { return logs_; }  // by log id
    // What says that this bundle was checked; of use only without findings.
    Digest statement() const { return bundle_statement(chain_, hash_); }

 private:
    template <typename Kept>
    struct Expected {
        Kept kept;
        bool found;
    };

    void header(const BundleRecord &record);
    void seal(const BundleRecord &record);
    void head(const BundleRecord &record);
    void entry(const BundleRecord &record);
    void end(const BundleRecord &record);
    void check_body(const BundleRecord &record, const std::string &where);
    void read_cut_entry(const EntryFields &fields, const std::string &where);
    void check_cuts();
    void close_log();
    void append_to_root(const Digest &leaf);
    void keep_seal();
    void check_kept_at_end();
    void close_seal();
    void find(const std::string &where, const std::string &what);
    std::string seal_name() const;

    Report report_;
    std::vector<Expected<KeptSeal>> kept_seals_;
    std::vector<Expected<KeptLog>> kept_logs_;
    std::vector<Expected<KeptRoot>> kept_roots_;
    std::string expected_tenant_;

    std::vector<uint8_t> bytes_;  // of the current line
    uint64_t lines_ = 0;
    bool begun_ = false, ended_ = false;
    Digest chain_{};

    std::string database_, tenant_;
    int64_t exported_at_ = 0;
    uint64_t announced_ = 0;  // newest seal as the header says
    uint64_t seals_ = 0, heads_ = 0, entries_ = 0, findings_ = 0;

    // The current seal.
    bool in_seal_ = false, readable_ = false;
    uint64_t number_ = 0, epoch_ = 0, entries_of_seal_ = 0, seen_of_seal_ = 0, root_size_ = 0;
    Digest hash_{}, root_{};
    Frontier root_log_;
    bool root_agreed_ = true;

    // The current log.
    BundleLog *log_ = nullptr;
    uint64_t due_ = 0;  // entries of it that are still to come
    uint64_t next_leaf_ = 0;
    int64_t last_seq_ = 0;  // of the current head's entries so far, when there were some
    bool has_seq_ = false;
    std::string log_id_, log_name_;
    std::map<std::string, BundleLog> logs_;
    std::map<std::string, std::string> log_of_tenant_;
};

// One line of what is kept: "seal NUMBER hash HEX" or "log HEX size NUMBER root HEX". Throws
// malformed.
void expect_kept(std::string_view line, BundleCheck *check);
// The lines to keep of a bundle that was checked, each with its line end.
std::string kept_lines(const BundleCheck &check);
// 8-4-4-4-12 hexadecimal digits in lower case.
std::string uuid_text(ByteView uuid);

}  // namespace aegis::core
