// SPDX-License-Identifier: Apache-2.0
// What an entry says of a cut is read strictly: a part that is missing would let somebody off.
#include "core/cut.hpp"

#include <rapidjson/document.h>

#include <fstream>
#include <sstream>

#include "bytes_of.hpp"
#include "core/bundle.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

// The entry of the third bundle of the vectors.
Bytes recorded_cut() {
    std::ifstream file(AEGIS_VECTORS "/bundle_v1.json");
    std::stringstream text;
    text << file.rdbuf();
    rapidjson::Document all;
    all.Parse(text.str().c_str());
    const auto &records = all["bundle"][2]["records"];
    const Bytes record = from_hex(records[records.Size() - 2].GetString());
    return bytes_of(decode_bundle_record(view(record)).body);
}

}  // namespace

TEST(Cut, SaysHowFarAndWho) {
    const Bytes body = recorded_cut();
    Cut cut;
    ASSERT_TRUE(read_cut(decode_entry(view(body)), &cut));
    EXPECT_EQ(cut.size, 2u);
    EXPECT_EQ(cut.requested_by, "olga");
    EXPECT_EQ(cut.approved_by, "otto");
    EXPECT_EQ(cut.reason, "seven years are over");
}

TEST(Cut, IsReadStrictly) {
    const Bytes body = recorded_cut();
    EntryFields entry = decode_entry(view(body));
    const Bytes detail = bytes_of(entry.detail);
    Cut cut;
    for (size_t length = 0; length < detail.size(); ++length) {
        const Bytes shorter(detail.begin(), detail.begin() + static_cast<long>(length));
        entry.detail = view(shorter);
        expect_error(Code::malformed, [&] { read_cut(entry, &cut); });
    }
    for (const char *key : {"root", "size", "reason", "statement", "approved_by", "requested_by"}) {
        std::string text(detail.begin(), detail.end());
        text[text.find(key)] ^= 1;  // another key in its place
        entry.detail = as_bytes(text);
        expect_error(Code::malformed, [&] { read_cut(entry, &cut); });
    }
    entry.detail = view(detail);
    EXPECT_TRUE(read_cut(entry, &cut));
    entry.outcome = Outcome::denied;
    expect_error(Code::malformed, [&] { read_cut(entry, &cut); });
    entry.event = "ledger.exported";
    EXPECT_FALSE(read_cut(entry, &cut));
}
