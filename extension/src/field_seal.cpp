// SPDX-License-Identifier: Apache-2.0
// Seals a value for a field that is named, without a row: what aegis.seal() and its like do.
#include "field_register.hpp"

#include "pg/function.hpp"

namespace {

using namespace aegis;

const field::Field &registered(int64 reference) {
    const field::Field *found = field::find(static_cast<uint32_t>(reference));
    if (found == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("field is not registered")));
    return *found;
}

}  // namespace

struct varlena *field::seal_unsealed(const sealed::Type &type, Datum datum, const Field &field,
                                     const pg_uuid_t &tenant, const Bond &bond) {
    core::ByteView value = pg::varlena_view(datum);
    if (field.type != &type)
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("field \"%s\" is of another type", field.name)));
    if (sealed::is_envelope(value))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("value is sealed already")));
    core::ByteSpan plaintext = sealed::open_unsealed(value);
    struct varlena *result = seal(tenant, field, plaintext, bond);
    sealed::discard(plaintext);
    return result;
}

// Seals what a column holds while its type is changed.
AEGIS_FUNCTION(aegis_seal) {
    PG_RETURN_POINTER(field::seal_unsealed(sealed::type_of(fcinfo), PG_GETARG_DATUM(0),
                                           registered(PG_GETARG_INT64(1)), *PG_GETARG_UUID_P(2),
                                           field::Bond()));
}

AEGIS_FUNCTION(aegis_seal_plaintext) {
    PG_RETURN_POINTER(field::seal(*PG_GETARG_UUID_P(2), registered(PG_GETARG_INT64(1)),
                                  pg::varlena_view(PG_GETARG_DATUM(0)), field::Bond()));
}
