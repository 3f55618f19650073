// SPDX-License-Identifier: Apache-2.0
// A bundle reads as it was written; whatever is changed in it is refused or named with its place.
#include "core/bundle_check.hpp"

#include <rapidjson/document.h>

#include <fstream>
#include <sstream>

#include "bytes_of.hpp"
#include "core/encoding.hpp"
#include "core/entry.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

// What an exporter writes of a small ledger: two tenants and the system, three seals.
struct Ledger {
    struct Log {
        Bytes id, tenant;
        std::vector<Digest> leaves;
        Frontier frontier;
    };
    std::vector<Log> logs{{Bytes(32, 0xa0), {}, {}, {}},
                          {Bytes(32, 0xa1), Bytes(16, 1), {}, {}},
                          {Bytes(32, 0xa2), Bytes(16, 2), {}, {}}};
    Frontier root_log;
    Digest previous{}, chain{};
    uint64_t number = 0, heads = 0, entries = 0;
    int64_t seq = 0;
    Bytes only;  // tenant of the bundle
    std::vector<std::string> lines;

    explicit Ledger(const Bytes &tenant = {}) : only(tenant) {}

    void put(const BundleRecord &record) {
        Bytes bytes(encode_bundle_record(record, {}));
        EXPECT_EQ(encode_bundle_record(record, span(bytes)), bytes.size());
        if (record.kind != BundleKind::end) chain = bundle_chain(chain, view(bytes));
        std::string line(base64_size(bytes.size()), '?');
        to_base64(view(bytes), line.data());
        lines.push_back(line);
    }

    Bytes body(const Log &log) const {
        EntryFields fields;
        fields.epoch = 1;
        fields.event = "bundle_test.done";
        fields.unix_micros = 1764000000000000 + seq;
        fields.tenant = view(log.tenant);
        fields.ordinal = static_cast<uint32_t>(seq);
        Bytes out(encode_entry(fields, {}));
        encode_entry(fields, span(out));
        return out;
    }

    // counts[i] entries for log i.
    void seal(const std::vector<int> &counts) {
        std::vector<BundleRecord> records;
        std::vector<Bytes> kept;
        kept.reserve(100);
        uint64_t of_seal = 0;
        for (size_t i = 0; i < counts.size(); ++i) {
            if (counts[i] == 0) continue;
            Log &log = logs[i];
            std::vector<BundleRecord> of_log;
            for (int n = 0; n < counts[i]; ++n) {
                BundleRecord record;
                record.kind = BundleKind::entry;
                record.seq = ++seq;
                kept.push_back(body(log));
                record.body = view(kept.back());
                const Digest leaf = leaf_hash(record.body);
                log.frontier.append(leaf);
                kept.push_back(bytes_of(leaf.view()));
                record.leaf = view(kept.back());
                of_log.push_back(record);
                ++of_seal;
            }
            BundleRecord head;
            const Digest root = log.frontier.root();
            const Digest leaf = head_leaf(view(log.id), log.frontier.size, root);
            root_log.append(leaf);
            ++heads;
            if (!only.empty() && only != log.tenant) {
                head.kind = BundleKind::other_head;
                kept.push_back(bytes_of(leaf.view()));
                head.leaf = view(kept.back());
                records.push_back(head);
                continue;
            }
            head.kind = BundleKind::head;
            head.log_id = view(log.id);
            head.tenant = view(log.tenant);
            head.size = log.frontier.size;
            kept.push_back(bytes_of(root.view()));
            head.root = view(kept.back());
            head.entries = of_log.size();
            records.push_back(head);
            entries += of_log.size();
            records.insert(records.end(), of_log.begin(), of_log.end());
        }
        SealFields fields{};
        fields.epoch = 1;
        fields.number = ++number;
        fields.unix_micros = 1764000000000000;
        fields.entries = of_seal;
        fields.root_size = root_log.size;
        fields.root = root_log.root();
        fields.previous = previous;
        fields.snapshot = "100:101:";
        Bytes encoded(encode_seal(fields, {}));
        encode_seal(fields, span(encoded));
        previous = seal_hash(view(encoded));
        BundleRecord seal;
        seal.kind = BundleKind::seal;
        seal.body = view(encoded);
        put(seal);
        for (const BundleRecord &record : records) put(record);
    }

    // Announces `newest` seals and writes as many.
    void write(const std::vector<std::vector<int>> &counts) {
        BundleRecord header;
        header.database = "shop";
        header.exported_at = 1764000001000000;
        header.tenant = view(only);
        header.newest_seal = counts.size();
        put(header);
        for (const auto &of_seal : counts) seal(of_seal);
        BundleRecord end;
        end.kind = BundleKind::end;
        end.seals = number;
        end.heads = heads;
        end.entries = entries;
        end.chain = chain.view();
        put(end);
    }
};

const std::vector<std::vector<int>> kSeals{{2, 3, 1}, {0, 2, 0}, {1, 0, 4}};

std::vector<std::string> written(const Bytes &tenant = {},
                                 const std::vector<std::vector<int>> &seals = kSeals) {
    Ledger ledger(tenant);
    ledger.write(seals);
    return ledger.lines;
}

struct Verdict {
    std::vector<std::string> findings;
    std::string refused;  // why, or empty
    std::string kept;
    std::string statement;
    bool sound() const { return findings.empty() && refused.empty(); }
    bool says(const std::string &text) const {
        for (const std::string &finding : findings)
            if (finding.find(text) != std::string::npos) return true;
        return refused.find(text) != std::string::npos;
    }
};

template <typename Expect>
Verdict check_after(const std::vector<std::string> &lines, Expect &&expect) {
    Verdict outcome;
    BundleCheck check([&](const std::string &where, const std::string &what) {
        outcome.findings.push_back(where + ": " + what);
    });
    expect(&check);
    try {
        for (const std::string &line : lines) check.line(line);
        check.finish();
        outcome.kept = kept_lines(check);
        outcome.statement = to_hex(check.statement().view());
    } catch (const Error &error) {
        outcome.refused = error.message;
    }
    EXPECT_EQ(check.findings(), outcome.findings.size());
    return outcome;
}

Verdict check(const std::vector<std::string> &lines, const std::vector<std::string> &kept = {},
              const Bytes &tenant = {}) {
    return check_after(lines, [&](BundleCheck *check) {
        if (!tenant.empty()) check->expect_tenant(view(tenant));
        for (const std::string &line : kept) expect_kept(line, check);
    });
}

Verdict check(const std::vector<std::string> &lines, const KeptRoot &root) {
    return check_after(lines, [&](BundleCheck *check) { check->expect(root); });
}

Bytes decoded(const std::string &line) {
    Bytes out(base64_decoded_size(line));
    from_base64(line, span(out));
    return out;
}

std::string encoded(const Bytes &bytes) {
    std::string line(base64_size(bytes.size()), '?');
    to_base64(view(bytes), line.data());
    return line;
}

// The chain of the end record recomputed: what somebody does who changes the file on purpose.
std::vector<std::string> reclosed(std::vector<std::string> lines) {
    Digest chain{};
    for (size_t i = 0; i + 1 < lines.size(); ++i)
        chain = bundle_chain(chain, view(decoded(lines[i])));
    Bytes end = decoded(lines.back());
    memcpy(end.data() + end.size() - kDigestBytes, chain.bytes, kDigestBytes);
    lines.back() = encoded(end);
    return lines;
}

// Number of the n-th line of a kind, from 0.
size_t line_of(const std::vector<std::string> &lines, BundleKind kind, int n = 0) {
    for (size_t i = 0; i < lines.size(); ++i) {
        const Bytes bytes = decoded(lines[i]);
        if (decode_bundle_record(view(bytes)).kind == kind && n-- == 0) return i;
    }
    ADD_FAILURE() << "no such line";
    return 0;
}

std::vector<std::string> lines_of(const std::string &text) {
    std::vector<std::string> lines;
    for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
        lines.push_back(text.substr(at, end - at));
    return lines;
}

}  // namespace

TEST(Bundle, RecordsRoundTrip) {
    for (const Bytes &tenant : {Bytes(), Bytes(16, 1)})
        for (const std::string &line : written(tenant)) {
            const Bytes bytes = decoded(line);
            const BundleRecord record = decode_bundle_record(view(bytes));
            Bytes again(encode_bundle_record(record, {}));
            encode_bundle_record(record, span(again));
            EXPECT_EQ(again, bytes);
            for (size_t size = 0; size < bytes.size(); ++size)
                expect_error(Code::malformed, [&] { decode_bundle_record({bytes.data(), size}); });
        }
}

TEST(Bundle, HonestOnesAreSound) {
    EXPECT_TRUE(check(written()).sound());
    EXPECT_TRUE(check(written(Bytes(16, 1)), {}, Bytes(16, 1)).sound());
    EXPECT_TRUE(check(written(Bytes(16, 2))).sound());
    EXPECT_TRUE(check(written({}, {})).sound());  // nothing sealed yet
}

TEST(Bundle, AnotherTenantsIsNamed) {
    EXPECT_TRUE(check(written(Bytes(16, 1)), {}, Bytes(16, 2)).says("another tenant"));
    EXPECT_TRUE(check(written(), {}, Bytes(16, 2)).says("whole ledger"));
}

TEST(Bundle, EveryByteOfTheFileCounts) {
    for (const Bytes &tenant : {Bytes(), Bytes(16, 1)}) {
        const std::vector<std::string> good = written(tenant);
        for (size_t i = 0; i < good.size(); ++i)
            for (size_t at = 0; at < good[i].size(); ++at)
                for (int bit = 0; bit < 8; ++bit) {
                    std::vector<std::string> bad = good;
                    bad[i][at] = static_cast<char>(bad[i][at] ^ 1 << bit);
                    ASSERT_FALSE(check(bad).sound()) << "line " << i << ", character " << at;
                }
    }
}

// The same with the chain recomputed: only what nothing commits to may pass.
TEST(Bundle, EveryByteOfTheLedgerCounts) {
    const std::vector<std::string> good = written();
    for (size_t i = 1; i + 1 < good.size(); ++i) {
        const Bytes bytes = decoded(good[i]);
        const BundleRecord record = decode_bundle_record(view(bytes));
        for (size_t at = 0; at < bytes.size(); ++at) {
            // An entry's number in the database is where to find it, not what is proven.
            if (record.kind == BundleKind::entry && at == 2) continue;
            Bytes changed = bytes;
            changed[at] ^= 1;
            std::vector<std::string> bad = good;
            bad[i] = encoded(changed);
            bad = reclosed(bad);
            const Verdict outcome = check(bad, lines_of(check(good).kept));
            ASSERT_FALSE(outcome.sound()) << "line " << i << ", byte " << at;
        }
    }
}

TEST(Bundle, LinesRemovedSwappedOrRepeatedAreNoticed) {
    const std::vector<std::string> good = written();
    for (size_t i = 0; i < good.size(); ++i) {
        std::vector<std::string> bad = good;
        bad.erase(bad.begin() + static_cast<long>(i));
        EXPECT_FALSE(check(bad).sound()) << "without line " << i;
        bad = good;
        bad.insert(bad.begin() + static_cast<long>(i), good[i]);
        EXPECT_FALSE(check(bad).sound()) << "line " << i << " twice";
        bad.assign(good.begin(), good.begin() + static_cast<long>(i));
        EXPECT_FALSE(check(bad).refused.empty()) << "cut at line " << i;
        if (i + 1 < good.size()) {
            bad = good;
            std::swap(bad[i], bad[i + 1]);
            EXPECT_FALSE(check(bad).sound()) << "lines " << i << " and the next swapped";
        }
    }
}

TEST(Bundle, AnEditedEntryIsNamed) {
    std::vector<std::string> bad = written();
    const size_t at = line_of(bad, BundleKind::entry, 3);
    Bytes bytes = decoded(bad[at]);
    bytes.back() ^= 1;
    bad[at] = encoded(bytes);
    bad = reclosed(bad);
    Verdict outcome = check(bad);
    ASSERT_EQ(outcome.findings.size(), 1u);
    EXPECT_EQ(outcome.findings[0],
              "seal 1, the log of tenant 01010101-0101-0101-0101-010101010101, leaf 1 (entry seq "
              "4): its body was changed: it does not have the hash that was stored with it");

    // Together with its leaf: the seal that covers it tells.
    BundleRecord record = decode_bundle_record(view(bytes));
    const Digest leaf = leaf_hash(record.body);
    record.leaf = leaf.view();
    Bytes again(encode_bundle_record(record, {}));
    encode_bundle_record(record, span(again));
    bad[at] = encoded(again);
    outcome = check(reclosed(bad));
    ASSERT_EQ(outcome.findings.size(), 1u);
    EXPECT_TRUE(
        outcome.says("seal 1, the log of tenant 01010101-0101-0101-0101-010101010101: its "
                     "root at size 3 is not"));
}

TEST(Bundle, AMissingEntryIsNamed) {
    std::vector<std::string> bad = written();
    const size_t at = line_of(bad, BundleKind::entry, 1);
    BundleRecord record;
    record.kind = BundleKind::entry;
    record.seq = 2;
    Bytes bytes(encode_bundle_record(record, {}));
    encode_bundle_record(record, span(bytes));
    bad[at] = encoded(bytes);
    const Verdict outcome = check(reclosed(bad));
    EXPECT_TRUE(
        outcome.says("seal 1, the system's log, leaf 1 (entry seq 2): it is sealed and missing"));
}

TEST(Bundle, KeptHeadsTellRewritingAndRollback) {
    const std::vector<std::string> whole = written();
    const std::vector<std::string> kept = lines_of(check(whole).kept);
    ASSERT_EQ(kept.size(), 1u);
    EXPECT_EQ(kept[0].substr(0, 12), "seal 3 hash ");
    EXPECT_TRUE(check(whole, kept).sound());
    // The ledger grew honestly.
    EXPECT_TRUE(check(written({}, {{2, 3, 1}, {0, 2, 0}, {1, 0, 4}, {1, 1, 1}}), kept).sound());
    // An older state, and an older state that went on in another way.
    EXPECT_TRUE(
        check(written({}, {{2, 3, 1}, {0, 2, 0}}), kept).says("an older state was restored"));
    EXPECT_TRUE(check(written({}, {{2, 3, 1}, {0, 2, 0}, {1, 0, 5}}), kept)
                    .says("seal 3: it is not the seal that was kept"));
    // A whole other history.
    EXPECT_TRUE(check(written({}, {{2, 3, 2}, {0, 2, 0}, {1, 0, 4}, {1, 1, 1}}), kept)
                    .says("seal 3: it is not the seal that was kept"));
}

TEST(Bundle, ATenantKeepsTheHeadOfItsLog) {
    const Bytes tenant(16, 2);
    const std::vector<std::string> kept = lines_of(check(written(tenant)).kept);
    ASSERT_EQ(kept.size(), 2u);
    EXPECT_EQ(kept[1].substr(0, 4), "log ");
    EXPECT_TRUE(check(written(tenant), kept).sound());
    EXPECT_TRUE(check(written({}, {{2, 3, 1}, {0, 2, 0}, {1, 0, 4}, {1, 1, 1}}), kept).sound());
    // The last entries of the tenant left out: their head is given as if it were another log's.
    std::vector<std::string> bad = written(tenant);
    const size_t at = line_of(bad, BundleKind::head, 1);
    const Bytes bytes = decoded(bad[at]);
    const BundleRecord head = decode_bundle_record(view(bytes));
    Digest root;
    memcpy(root.bytes, head.root.data, kDigestBytes);
    const Digest leaf = head_leaf(head.log_id, head.size, root);
    BundleRecord other;
    other.kind = BundleKind::other_head;
    other.leaf = leaf.view();
    Bytes hidden(encode_bundle_record(other, {}));
    encode_bundle_record(other, span(hidden));
    bad[at] = encoded(hidden);
    bad.erase(bad.begin() + static_cast<long>(at) + 1, bad.begin() + static_cast<long>(at) + 5);
    BundleRecord end;
    end.kind = BundleKind::end;
    end.seals = 3;
    end.heads = 6;
    end.entries = 1;
    end.chain = root.view();
    Bytes last(encode_bundle_record(end, {}));
    encode_bundle_record(end, span(last));
    bad.back() = encoded(last);
    bad = reclosed(bad);
    EXPECT_TRUE(check(bad).sound());
    EXPECT_TRUE(check(bad, kept).says("the kept head of log"));
}

TEST(Bundle, SignedRootsTellRewritingAndRollback) {
    for (const Bytes &tenant : {Bytes(), Bytes(16, 1)}) {
        std::vector<KeptRoot> roots{{0, merkle_empty_root()}};
        for (size_t seals = 1; seals <= kSeals.size(); ++seals) {
            Ledger ledger(tenant);
            ledger.write({kSeals.begin(), kSeals.begin() + static_cast<long>(seals)});
            roots.push_back({ledger.root_log.size, ledger.root_log.root()});
        }
        for (const KeptRoot &root : roots) {
            EXPECT_TRUE(check(written(tenant), root).sound()) << "size " << root.size;
            if (root.size == 0) continue;
            KeptRoot other = root;
            other.root.bytes[7] ^= 1;
            const Verdict rewritten = check(written(tenant), other);
            EXPECT_EQ(rewritten.findings.size(), 1u) << "size " << root.size;
            EXPECT_TRUE(rewritten.says("is not the one that the checkpoint signs"));
        }
        // An older state, and an older state that went on in another way.
        const Verdict cut = check(written(tenant, {{2, 3, 1}, {0, 2, 0}}), roots.back());
        EXPECT_EQ(cut.findings.size(), 1u);
        EXPECT_TRUE(cut.says("the signed checkpoint has 6 heads, the ledger 4"));
        EXPECT_TRUE(check(written(tenant, {{2, 3, 1}, {0, 2, 0}, {1, 0, 5}}), roots.back())
                        .says("seal 3: the root log at size 6 is not the one"));
    }
}

TEST(Bundle, KeptLinesAreReadStrictly) {
    BundleCheck check([](const std::string &, const std::string &) {});
    const std::string hash(64, 'a');
    expect_kept("seal 7 hash " + hash, &check);
    expect_kept("log " + hash + " size 9 root " + hash, &check);
    for (const std::string &bad :
         {std::string(), std::string("seal"), "seal 7 hash " + hash + " ", "seal 07 hash " + hash,
          "seal 0 hash " + hash, "seal -1 hash " + hash, "seal 7 root " + hash,
          "seal 7 hash " + hash.substr(1), "seal  7 hash " + hash, "log " + hash + " size 9",
          "log " + hash + " size 9 hash " + hash, "seal 99999999999999999999 hash " + hash})
        expect_error(Code::malformed, [&] { expect_kept(bad, &check); });
}

void read_vectors(rapidjson::Document *all) {
    std::ifstream file(AEGIS_VECTORS "/bundle_v1.json");
    std::stringstream text;
    text << file.rdbuf();
    all->Parse(text.str().c_str());
    ASSERT_FALSE(all->HasParseError());
}

// The entry of that line, changed.
template <typename Change>
std::string changed_entry(const std::string &line, Change &&change) {
    const Bytes bytes = decoded(line);
    BundleRecord record = decode_bundle_record(view(bytes));
    EXPECT_EQ(record.kind, BundleKind::entry);
    change(&record);
    Bytes out(encode_bundle_record(record, {}));
    encode_bundle_record(record, span(out));
    return encoded(out);
}

// What has no body was cut, or was deleted: an entry of the same log makes the difference.
TEST(Bundle, BodiesMayBeMissingWhereAnEntrySaysThatTheyWereCut) {
    rapidjson::Document all;
    read_vectors(&all);
    std::vector<std::string> lines;
    for (const auto &line : all["bundle"][2]["lines"].GetArray())
        lines.emplace_back(line.GetString());
    std::vector<size_t> entries;
    for (size_t i = 0; i < lines.size(); ++i)
        if (decode_bundle_record(view(decoded(lines[i]))).kind == BundleKind::entry)
            entries.push_back(i);
    ASSERT_EQ(entries.size(), 4u);
    EXPECT_TRUE(check(lines).sound());

    // One more was deleted, and looks like the two that were cut.
    std::vector<std::string> bad = lines;
    bad[entries[2]] = changed_entry(lines[entries[2]], [](BundleRecord *r) { r->body = {}; });
    EXPECT_TRUE(check(reclosed(bad)).says("3 entries below leaf 3 have no body, and no entry"));
    // So does the entry that says so.
    bad = lines;
    bad[entries[3]] = changed_entry(lines[entries[3]], [](BundleRecord *r) { r->body = {}; });
    EXPECT_TRUE(check(reclosed(bad)).says("3 entries below leaf 4 have no body, and no entry"));
    // Without their hashes nobody can say what was cut.
    bad = lines;
    bad[entries[0]] = changed_entry(lines[entries[0]], [](BundleRecord *r) { r->leaf = {}; });
    EXPECT_TRUE(check(reclosed(bad)).says("it is sealed and missing: it was deleted"));
    // A changed hash leads to another root.
    bad = lines;
    Bytes other(32, 7);
    bad[entries[1]] =
        changed_entry(lines[entries[1]], [&](BundleRecord *r) { r->leaf = view(other); });
    EXPECT_TRUE(check(reclosed(bad)).says("is not what its entries hash to"));
    // Entries that were cut and are still there are checked as all others.
    bad = lines;
    const Bytes whole = decoded(all["bundle"][1]["lines"][entries[1]].GetString());
    bad[entries[1]] = encoded(whole);
    EXPECT_TRUE(check(reclosed(bad)).sound());
}

// The bundles that the independent implementation wrote, and what no reader may accept.
TEST(Bundle, VectorsAreSound) {
    rapidjson::Document all;
    read_vectors(&all);
    for (const auto &bundle : all["bundle"].GetArray()) {
        std::vector<std::string> lines;
        for (const auto &line : bundle["lines"].GetArray()) lines.emplace_back(line.GetString());
        const Verdict verdict = check(lines);
        EXPECT_TRUE(verdict.sound()) << verdict.refused;
        EXPECT_EQ(lines_of(verdict.kept).at(0), bundle["kept"].GetString());
        EXPECT_EQ(verdict.statement, bundle["statement"].GetString());
        for (rapidjson::SizeType i = 0; i < bundle["records"].Size(); ++i)
            EXPECT_EQ(encoded(from_hex(bundle["records"][i].GetString())), lines.at(i));
    }
    EXPECT_EQ(all["bundle"].Size(), 3u);
    for (const auto &refused : all["refused"].GetArray()) {
        const Bytes record = from_hex(refused["record"].GetString());
        EXPECT_TRUE(aegis::test::refused([&] { decode_bundle_record(view(record)); }))
            << refused["name"].GetString();
    }
    EXPECT_GT(all["refused"].Size(), 10u);
}
