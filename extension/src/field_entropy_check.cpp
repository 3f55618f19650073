// SPDX-License-Identifier: Apache-2.0
// How many values the CHECKs of a column leave it: what is few before there is a row.
#include "field_entropy.hpp"

namespace aegis::field::entropy {

namespace {

// The column, or the value of a domain when the number is 0.
bool is_column(Node *node, AttrNumber number) {
    while (node != nullptr && IsA(node, RelabelType))
        node = reinterpret_cast<Node *>(reinterpret_cast<RelabelType *>(node)->arg);
    if (node == nullptr) return false;
    if (IsA(node, CoerceToDomainValue)) return number == 0;
    return IsA(node, Var) && reinterpret_cast<Var *>(node)->varattno == number;
}

int elements(Node *node) {
    for (;;) {
        if (IsA(node, RelabelType))
            node = reinterpret_cast<Node *>(reinterpret_cast<RelabelType *>(node)->arg);
        else if (IsA(node, ArrayCoerceExpr))
            node = reinterpret_cast<Node *>(reinterpret_cast<ArrayCoerceExpr *>(node)->arg);
        else
            break;
    }
    if (IsA(node, ArrayExpr)) return list_length(reinterpret_cast<ArrayExpr *>(node)->elements);
    Const *array = reinterpret_cast<Const *>(node);
    if (!IsA(node, Const) || array->constisnull) return 0;
    ArrayType *value = DatumGetArrayTypeP(array->constvalue);
    return ArrayGetNItems(ARR_NDIM(value), ARR_DIMS(value));
}

bool is_equality(Oid operator_id) {
    const char *name = get_opname(operator_id);
    return name != nullptr && strcmp(name, "=") == 0;
}

// How many values a condition leaves: of IN (…), and of = and IN joined by OR and AND; 0 when it
// names none.
int named_values(Node *node, AttrNumber number) {
    if (IsA(node, ScalarArrayOpExpr)) {
        ScalarArrayOpExpr *in = reinterpret_cast<ScalarArrayOpExpr *>(node);
        bool names = in->useOr && is_equality(in->opno) &&
                     is_column(static_cast<Node *>(linitial(in->args)), number);
        return names ? elements(static_cast<Node *>(lsecond(in->args))) : 0;
    }
    if (IsA(node, OpExpr)) {
        OpExpr *call = reinterpret_cast<OpExpr *>(node);
        return list_length(call->args) == 2 && is_equality(call->opno) &&
                       (is_column(static_cast<Node *>(linitial(call->args)), number) ||
                        is_column(static_cast<Node *>(lsecond(call->args)), number))
                   ? 1
                   : 0;
    }
    if (!IsA(node, BoolExpr)) return 0;
    BoolExpr *terms = reinterpret_cast<BoolExpr *>(node);
    int all = 0;
    ListCell *cell;
    foreach (cell, terms->args) {
        int some = named_values(static_cast<Node *>(lfirst(cell)), number);
        if (terms->boolop == AND_EXPR && some != 0) return some;
        if (terms->boolop != OR_EXPR) continue;
        if (some == 0) return 0;
        all += some;
    }
    return all;
}

}  // namespace

int listed_values(Relation relation, AttrNumber number) {
    TupleDesc row = RelationGetDescr(relation);
    int fewest = 0;
    auto see = [&fewest](int values) {
        if (values != 0 && (fewest == 0 || values < fewest)) fewest = values;
    };
    for (int i = 0; row->constr != nullptr && i < row->constr->num_check; i++)
        see(named_values(static_cast<Node *>(stringToNode(row->constr->check[i].ccbin)), number));
    Oid type = TupleDescAttr(row, number - 1)->atttypid;
    if (get_typtype(type) != TYPTYPE_DOMAIN) return fewest;
    // It is let go with the memory that it lies in.
    DomainConstraintRef *domain =
        static_cast<DomainConstraintRef *>(palloc0(sizeof(DomainConstraintRef)));
    InitDomainConstraintRef(type, domain, CurrentMemoryContext, false);
    ListCell *cell;
    foreach (cell, domain->constraints) {
        DomainConstraintState *state = static_cast<DomainConstraintState *>(lfirst(cell));
        if (state->constrainttype == DOM_CONSTRAINT_CHECK)
            see(named_values(reinterpret_cast<Node *>(state->check_expr), 0));
    }
    return fewest;
}

}  // namespace aegis::field::entropy
