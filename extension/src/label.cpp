// SPDX-License-Identifier: Apache-2.0
#include "label.hpp"

#include "classification.hpp"
#include "sealed.hpp"

namespace aegis::label {

namespace {

// NULL takes a label away, from whatever has one.
void check(const ObjectAddress *object, const char *label) {
    if (label == nullptr) return;
    if (object->classId == TypeRelationId && sealed::find_type(object->objectId) != nullptr)
        sealed::check_mask_label(label);
    else if (object->classId == RelationRelationId && object->objectSubId != 0)
        classification::check_label(object->objectId, label);
    else
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("only sealed types and columns have a label of aegis")));
}

}  // namespace

// Not when the library is loaded: a server with a provider answers SECURITY LABEL otherwise than
// one without, in every database.
void expect() {
    static bool registered = false;
    if (!registered) register_label_provider(kProvider, check);
    registered = true;
}

}  // namespace aegis::label
