// SPDX-License-Identifier: Apache-2.0
#include "core/tenant_bundle.hpp"

#include <rapidjson/document.h>

#include <fstream>
#include <sstream>

#include "bytes_of.hpp"
#include "core/bundle.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

const Bytes kTenant = from_hex("018f2b6c7d8e7f0091a2b3c4d5e6f708");
const Key32 kTarget(
    view(from_hex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")));

Bytes encoded(const TenantRecord &record) {
    Bytes out(encode_tenant_record(record, {}));
    encode_tenant_record(record, span(out));
    return out;
}

Bytes texts(std::initializer_list<const char *> values) {
    Bytes out(1000);
    CborWriter w(span(out));
    w.array(values.size());
    for (const char *value : values) {
        if (value == nullptr)
            w.null();
        else
            w.text(value);
    }
    out.resize(w.needed);
    return out;
}

// A whole small bundle, record by record.
std::vector<Bytes> bundle() {
    std::vector<Bytes> all;
    Digest chain{};
    auto put = [&](const TenantRecord &record) {
        all.push_back(encoded(record));
        if (record.kind != TenantKind::end) chain = bundle_chain(chain, view(all.back()));
    };
    Bytes recipient(kHpkeKeyBytes);
    hpke_public_key(kTarget, span(recipient));
    TenantRecord record;
    record.database = "shop";
    record.exported_at = 1714500131000000;
    record.tenant = view(kTenant);
    record.slug = "orchid";
    record.region = "UK";
    record.frozen = true;
    record.target = "SG";
    record.recipient = view(recipient);
    put(record);
    const Digest header = sha256(view(all[0]));
    for (bool index : {false, true}) {
        TenantRecord key;
        key.kind = TenantKind::key;
        key.is_index = index;
        key.epoch = 1;
        Bytes root(32, index ? 0x22 : 0x11), encapsulated(32), sealed(kSealedRootBytes);
        seal_tenant_root(header, key, view(root), view(recipient), span(encapsulated),
                         span(sealed));
        key.encapsulated = view(encapsulated);
        key.sealed = view(sealed);
        put(key);
    }
    TenantRecord table;
    table.kind = TenantKind::table;
    table.name = "s.house";
    const Bytes columns = texts({"id", "integer", "street", "text"});
    table.texts = view(columns);
    put(table);
    TenantRecord row;
    row.kind = TenantKind::row;
    const Bytes values = texts({"1", nullptr});
    row.texts = view(values);
    put(row);
    TenantRecord table_end;
    table_end.kind = TenantKind::table_end;
    table_end.rows = 1;
    const Digest rows = bundle_chain(Digest{}, view(all.back()));
    table_end.chain = rows.view();
    put(table_end);
    TenantRecord ledger;
    ledger.kind = TenantKind::ledger;
    const Bytes inner = from_hex("8101");
    ledger.ledger = view(inner);
    put(ledger);
    TenantRecord end;
    end.kind = TenantKind::end;
    end.keys = 2;
    end.tables = end.rows = end.records = 1;
    end.chain = chain.view();
    put(end);
    return all;
}

TenantReading read(const std::vector<Bytes> &records) {
    TenantReading reading;
    for (const Bytes &bytes : records) reading.take(decode_tenant_record(view(bytes)), view(bytes));
    return reading;
}

}  // namespace

TEST(TenantBundle, ReadsWhatItWrites) {
    const std::vector<Bytes> all = bundle();
    const TenantReading reading = read(all);
    EXPECT_TRUE(reading.ended());
    EXPECT_EQ(reading.keys, 2u);
    EXPECT_EQ(reading.rows, 1u);
    for (const Bytes &bytes : all) EXPECT_EQ(encoded(decode_tenant_record(view(bytes))), bytes);
    ByteView values[2];
    ASSERT_EQ(tenant_texts(decode_tenant_record(view(all[4])), values, 2), 2u);
    EXPECT_EQ(values[0].size, 1u);
    EXPECT_EQ(values[1].data, nullptr);
    expect_error(Code::malformed,
                 [&] { tenant_texts(decode_tenant_record(view(all[4])), values, 1); });
}

TEST(TenantBundle, OpensRootsForTheirHeaderKindAndEpochOnly) {
    const std::vector<Bytes> all = bundle();
    const Digest header = sha256(view(all[0]));
    TenantRecord key = decode_tenant_record(view(all[1]));
    uint8_t root[32];
    open_tenant_root(kTarget, header, key, root);
    EXPECT_EQ(root[0], 0x11);
    Digest other = header;
    other.bytes[0] ^= 1;
    expect_error(Code::cannot_open, [&] { open_tenant_root(kTarget, other, key, root); });
    key.epoch = 2;
    expect_error(Code::cannot_open, [&] { open_tenant_root(kTarget, header, key, root); });
    key.epoch = 1;
    key.is_index = true;
    expect_error(Code::cannot_open, [&] { open_tenant_root(kTarget, header, key, root); });
}

TEST(TenantBundle, RefusesRecordsThatAreMissingRepeatedOrSwapped) {
    const std::vector<Bytes> all = bundle();
    for (size_t i = 0; i < all.size(); ++i) {
        std::vector<Bytes> changed = all;
        changed.erase(changed.begin() + static_cast<long>(i));
        bool whole = false;
        try {
            whole = read(changed).ended();
        } catch (const Error &) {
        }
        EXPECT_FALSE(whole) << "without record " << i;
        changed = all;
        changed.insert(changed.begin() + static_cast<long>(i), all[i]);
        expect_error(Code::malformed, [&] { read(changed); });
        if (i + 1 == all.size()) continue;
        changed = all;
        std::swap(changed[i], changed[i + 1]);
        expect_error(Code::malformed, [&] { read(changed); });
    }
}

TEST(TenantBundle, RefusesEveryChangedBit) {
    const std::vector<Bytes> all = bundle();
    for (size_t i = 0; i < all.size(); ++i) {
        for (size_t bit = 0; bit < all[i].size() * 8; ++bit) {
            std::vector<Bytes> changed = all;
            changed[i][bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
            expect_error(Code::malformed, [&] { read(changed); });
        }
        for (size_t size = 0; size < all[i].size(); ++size) {
            std::vector<Bytes> changed = all;
            changed[i].resize(size);
            expect_error(Code::malformed, [&] { read(changed); });
        }
    }
}

// What the independent implementation wrote.
TEST(TenantBundle, ReadsTheFrozenVector) {
    std::ifstream file(AEGIS_VECTORS "/tenant_v1.json");
    std::stringstream text;
    text << file.rdbuf();
    rapidjson::Document v;
    v.Parse(text.str().c_str());
    ASSERT_FALSE(v.HasParseError());
    const Key32 target(view(from_hex(v["hpke"]["private"].GetString())));
    TenantReading reading;
    size_t keys = 0;
    for (const auto &each : v["records"].GetArray()) {
        const Bytes bytes = from_hex(each.GetString());
        const TenantRecord record = decode_tenant_record(view(bytes));
        reading.take(record, view(bytes));
        EXPECT_EQ(encoded(record), bytes);
        if (record.kind != TenantKind::key) continue;
        uint8_t root[32];
        open_tenant_root(target, reading.header_hash, record, root);
        EXPECT_EQ(to_hex(root), v["roots"][record.is_index ? "index" : "root"].GetString());
        keys++;
    }
    for (const auto &each : v["committing"].GetArray()) {
        const Bytes bytes = from_hex(each["record"].GetString());
        TenantRecord record = decode_tenant_record(view(bytes));
        EXPECT_EQ(encoded(record), bytes);
        EXPECT_EQ(record.suite, Suite::xaes_256_gcm_committing);
        EXPECT_EQ(record.epoch, each["epoch"].GetUint());
        EXPECT_EQ(record.check_value.size, record.epoch == 2 ? 0u : 8u);
        uint8_t root[32];
        open_tenant_root(target, reading.header_hash, record, root);
        EXPECT_EQ(to_hex(root), each["root"].GetString());
        record.suite = Suite::xaes_256_gcm;  // neither the suite nor the check value may be changed
        expect_error(Code::cannot_open,
                     [&] { open_tenant_root(target, reading.header_hash, record, root); });
        record.suite = Suite::xaes_256_gcm_committing;
        const Bytes other(8, 1);
        record.check_value = view(other);
        expect_error(Code::cannot_open,
                     [&] { open_tenant_root(target, reading.header_hash, record, root); });
        for (const char *bad : {"01", "03"}) {  // suite 1 has no place, suite 3 no meaning
            Bytes changed = bytes;
            changed[changed.size() - record.epoch % 2 * 8 - 2] = from_hex(bad)[0];
            expect_error(Code::malformed, [&] { decode_tenant_record(view(changed)); });
        }
        Bytes index = bytes;  // an index root has no suite
        index[2] = 0x65;
        index.insert(index.begin() + 3, 0);
        memcpy(index.data() + 3, "index", 5);
        expect_error(Code::malformed, [&] { decode_tenant_record(view(index)); });
    }
    EXPECT_TRUE(reading.ended());
    EXPECT_EQ(keys, 2u);
    EXPECT_EQ(to_hex(reading.header_hash.view()), v["header_hash"].GetString());
    EXPECT_EQ(to_hex(reading.chain.view()), v["chain"].GetString());
}
