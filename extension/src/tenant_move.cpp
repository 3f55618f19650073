// SPDX-License-Identifier: Apache-2.0
// What another database proves: the receipt of its entry, under the key of its signer.
// docs/tenant_move.md.
#include "core/error.hpp"
#include "core/receipt.hpp"

#include "pg/function.hpp"

AEGIS_FUNCTION(aegis_open_receipt) {
    using namespace aegis;
    core::ByteView text = pg::varlena_view(PG_GETARG_DATUM(0));
    core::ByteView key = pg::varlena_view(PG_GETARG_DATUM(1));
    struct varlena *body = pg::alloc_varlena(text.size);  // an entry is shorter than its receipt
    size_t size = 0;
    int64 leaf = 0;
    pg::raise(pg::run([&] {
        const std::string_view all(reinterpret_cast<const char *>(text.data), text.size);
        const core::Receipt receipt = core::parse_receipt(all);
        const core::Checkpoint checkpoint = core::open_checkpoint(
            receipt.note,
            core::parse_note_key({reinterpret_cast<const char *>(key.data), key.size}));
        if (!core::verify_receipt(receipt, checkpoint))
            throw core::Error{core::Code::malformed, "the checkpoint does not cover the entry"};
        size = receipt.body.size();
        memcpy(VARDATA(body), receipt.body.data(), size);
        leaf = static_cast<int64>(receipt.leaf);
    }));
    SET_VARSIZE(body, VARHDRSZ + size);
    TupleDesc desc;
    if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("result of aegis.open_receipt is not a record")));
    Datum values[] = {Int64GetDatum(leaf), PointerGetDatum(body)};
    bool nulls[] = {false, false};
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
