// SPDX-License-Identifier: Apache-2.0
// Of an anchor that was dropped the authorities are gone: then a time stamp is only compared with
// what it is over.
#include "core/timestamp.hpp"

#include "verify_anchor.hpp"

#include "pg/function.hpp"
#include "verify_cursor.hpp"

namespace aegis::verify_anchor {

namespace {

constexpr const char *kQuery =
    "SELECT r.checkpoint, coalesce(r.anchor, ''), r.digest, coalesce(k.note, ''), "
    "coalesce(r.receipt, ''), "
    "coalesce(a.authorities, ''), r.kind = 'rfc3161', "
    "CASE WHEN pg_catalog.isfinite(r.stamped_at) THEN pg_catalog.date_part('epoch', "
    "r.stamped_at)::int8 ELSE -1 END FROM aegis.anchor_receipt r "
    "LEFT JOIN aegis.checkpoint k ON k.number = r.checkpoint LEFT JOIN aegis.anchor a ON a.name = "
    "r.anchor ORDER BY r.checkpoint, r.anchor COLLATE \"C\"";

struct Row {
    core::Digest digest;
    core::ByteView note, receipt, authorities;
    bool is_stamp;
    int64 seconds;
};

// nullptr when nothing is wrong.
const char *finding_of(const Row &row) {
    bool same = false;
    pg::raise(pg::run([&] { same = verify::same(row.digest, core::sha256(row.note)); }));
    if (!same || row.note.size == 0) return "is about another checkpoint";
    if (!row.is_stamp) return nullptr;
    int64 seconds = -1;
    pg::Report report = pg::run([&] {
        const std::string_view authorities = {reinterpret_cast<const char *>(row.authorities.data),
                                              row.authorities.size};
        seconds = authorities.empty()
                      ? core::read_timestamp(row.receipt, row.digest).seconds
                      : core::open_timestamp(row.receipt, row.digest, authorities).seconds;
    });
    if (report.failed || seconds != row.seconds)
        return "holds no time stamp of the checkpoint at the time that it says";
    return nullptr;
}

}  // namespace

void check(verify::Report *report) {
    verify::Cursor rows = verify::open_cursor(kQuery);
    HeapTuple tuple;
    while ((tuple = verify::peek(&rows)) != nullptr) {
        TupleDesc shape = rows.rows->tupdesc;
        bool is_null;
        auto bytes = [&](int column) {
            return pg::varlena_view(SPI_getbinval(tuple, shape, column, &is_null));
        };
        int64 number = DatumGetInt64(SPI_getbinval(tuple, shape, 1, &is_null));
        const char *anchor = TextDatumGetCString(SPI_getbinval(tuple, shape, 2, &is_null));
        Row row = {};
        Datum digest = SPI_getbinval(tuple, shape, 3, &is_null);
        bool has_digest = verify::copy_digest(digest, is_null, &row.digest);
        row.note = bytes(4);
        row.receipt = bytes(5);
        row.authorities = bytes(6);
        row.is_stamp = DatumGetBool(SPI_getbinval(tuple, shape, 7, &is_null));
        row.seconds = DatumGetInt64(SPI_getbinval(tuple, shape, 8, &is_null));
        report->items[verify::kCheckpoints]++;
        const char *what = has_digest ? finding_of(row) : "is about another checkpoint";
        if (what != nullptr)
            verify::finding(report, verify::kCheckpoints,
                            psprintf("checkpoint " INT64_FORMAT, number),
                            psprintf("the receipt of anchor \"%s\" %s", anchor, what));
        rows.at++;
    }
}

}  // namespace aegis::verify_anchor
