// SPDX-License-Identifier: Apache-2.0
#include "core/classification.hpp"

#include "classification.hpp"

#include "pg/function.hpp"

namespace aegis::classification {

void check_label(Oid relation, const char *label) {
    char kind = get_rel_relkind(relation);
    if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
        ereport(ERROR,
                (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("only columns of tables have a class"),
                 errhint("What a view shows has the class of the table that it is taken from.")));
    core::LabelFault fault = core::LabelFault::none;
    pg::raise(pg::run([&] { fault = core::label_fault(label); }));
    switch (fault) {
        case core::LabelFault::none:
            break;
        case core::LabelFault::prohibited:
            ereport(ERROR,
                    (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                     errmsg("data of class \"prohibited_pci\" must not be stored"),
                     errdetail("Card numbers, codes, expiry dates and tracks are never kept, "
                               "encrypted or not."),
                     errhint("Drop the column; keep the brand and the last four digits at most.")));
            break;
        case core::LabelFault::unknown_class:
            ereport(
                ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid label \"%s\"", label),
                 errhint("A label begins with a class: public, internal, confidential, pii, "
                         "pii_special or secret.")));
            break;
        case core::LabelFault::option:
            ereport(
                ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid label \"%s\"", label),
                 errhint("Write \"CLASS; retention=NAME; export=yes\", the options in this "
                         "order or left out.")));
            break;
    }
}

}  // namespace aegis::classification
