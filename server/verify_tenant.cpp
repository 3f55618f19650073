// SPDX-License-Identifier: Apache-2.0
#include "verify_tenant.hpp"

#include <cstdio>
#include <vector>

#include "core/bundle_check.hpp"
#include "core/encoding.hpp"
#include "core/error.hpp"
#include "core/tenant_bundle.hpp"
#include "verify_io.hpp"

namespace aegis::verify_tool {

namespace {

using core::ByteView;

struct Table {
    std::string name;
    uint64_t rows;
};

struct Seen {
    std::string database, tenant, slug, region, target, recipient;
    int64_t exported_at = 0;
    bool frozen = false;
    std::vector<Table> tables;
};

void read_header(const core::TenantRecord &record, core::BundleCheck *ledger, Seen *seen) {
    seen->database = record.database;
    seen->tenant = core::uuid_text(record.tenant);
    seen->slug = record.slug;
    seen->region = record.region;
    seen->target = record.target;
    seen->recipient = hex_of(record.recipient);
    seen->exported_at = record.exported_at;
    seen->frozen = record.frozen;
    ledger->expect_tenant(record.tenant);
}

// The records of the log within are lines of a bundle of their own.
void read_ledger(const core::TenantRecord &record, core::BundleCheck *ledger) {
    std::string line(core::base64_size(record.ledger.size), '?');
    core::to_base64(record.ledger, line.data());
    ledger->line(line);
}

void read_line(const std::string &line, core::TenantReading *reading, core::BundleCheck *ledger,
               Seen *seen) {
    std::vector<uint8_t> bytes(core::base64_decoded_size(line));
    core::from_base64(line, {bytes.data(), bytes.size()});
    const ByteView view{bytes.data(), bytes.size()};
    const core::TenantRecord record = core::decode_tenant_record(view);
    reading->take(record, view);
    if (record.kind == core::TenantKind::header) read_header(record, ledger, seen);
    if (record.kind == core::TenantKind::table)
        seen->tables.push_back({std::string(record.name), 0});
    if (record.kind == core::TenantKind::table_end) seen->tables.back().rows = record.rows;
    if (record.kind == core::TenantKind::ledger) read_ledger(record, ledger);
}

void read_file(const std::string &path, core::TenantReading *reading, core::BundleCheck *ledger,
               Seen *seen) {
    Input file(path);
    std::string line;
    bool ended = true;
    try {
        while (file.next(&line, &ended)) read_line(line, reading, ledger, seen);
        if (!reading->ended()) throw core::Error{core::Code::malformed, "the end is missing"};
        ledger->finish();
    } catch (const core::Error &error) {
        fail("\"" + path + "\", line " + std::to_string(reading->lines + 1) + ": " + error.message,
             "The file is no exported tenant, or was damaged or cut on its way: export it again.");
    }
    if (!ended) fail("\"" + path + "\": the last line has no end", "Export it again.");
}

unsigned long long wide(uint64_t value) {
    return static_cast<unsigned long long>(value);
}

void tell(const Seen &seen, const core::TenantReading &reading, const core::BundleCheck &ledger,
          const std::string &findings) {
    printf("tenant       %s \"%s\" of region \"%s\", database \"%s\", exported %s\n",
           seen.tenant.c_str(), plain(seen.slug).c_str(), plain(seen.region).c_str(),
           plain(seen.database).c_str(), time_text(seen.exported_at).c_str());
    printf("for          region \"%s\", public key %s\n", plain(seen.target).c_str(),
           seen.recipient.c_str());
    printf("state        %s\n",
           seen.frozen ? "suspended: nothing came after" : "at work: changes may have come after");
    for (const Table &table : seen.tables)
        printf("table        %s, %llu rows\n", plain(table.name).c_str(), wide(table.rows));
    printf("read         %llu keys, %llu rows, %llu entries up to seal %llu\n", wide(reading.keys),
           wide(reading.rows), wide(ledger.entries()), wide(ledger.newest_seal()));
    printf("chain        %s\n", hex_of(reading.chain.view()).c_str());
    printf("%s", findings.c_str());
    if (findings.empty()) printf("result       ok: complete, and every hash follows\n");
}

void tell_json(const Seen &seen, const core::TenantReading &reading,
               const core::BundleCheck &ledger, bool good) {
    std::string tables;
    for (const Table &table : seen.tables)
        tables +=
            (tables.empty() ? "" : ", ") + json(table.name) + ": " + std::to_string(table.rows);
    printf(
        "{\"result\": \"%s\", \"tenant\": %s, \"slug\": %s, \"region\": %s, \"database\": %s, "
        "\"target\": %s, \"recipient\": %s, \"frozen\": %s, \"tables\": {%s}, \"rows\": %llu, "
        "\"entries\": %llu, \"newest_seal\": %llu, \"newest_hash\": \"%s\", \"chain\": \"%s\"}\n",
        good ? "ok" : "findings", json(seen.tenant).c_str(), json(seen.slug).c_str(),
        json(seen.region).c_str(), json(seen.database).c_str(), json(seen.target).c_str(),
        json(seen.recipient).c_str(), seen.frozen ? "true" : "false", tables.c_str(),
        wide(reading.rows), wide(ledger.entries()), wide(ledger.newest_seal()),
        hex_of(ledger.newest_hash().view()).c_str(), hex_of(reading.chain.view()).c_str());
}

}  // namespace

int check_tenant(const TenantOptions &options) {
    std::string findings;
    core::BundleCheck ledger([&](const std::string &where, const std::string &what) {
        findings += "finding      ledger, " + where + ": " + what + "\n";
    });
    core::TenantReading reading;
    Seen seen;
    read_file(options.file, &reading, &ledger, &seen);
    if (!options.tenant.empty()) {
        uint8_t wanted[16];
        read_uuid(options.tenant, wanted);
        if (core::uuid_text(wanted) != seen.tenant)
            findings += "finding      it is another tenant, " + seen.tenant + "\n";
    }
    if (!options.chain.empty() && options.chain != hex_of(reading.chain.view()))
        findings += "finding      its chain is not the one that was expected\n";
    if (options.as_json)
        tell_json(seen, reading, ledger, findings.empty());
    else
        tell(seen, reading, ledger, findings);
    return findings.empty() ? kOk : kFindings;
}

}  // namespace aegis::verify_tool
