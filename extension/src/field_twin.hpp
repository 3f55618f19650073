// SPDX-License-Identifier: Apache-2.0
// While a column is converted it has a twin: the same value, sealed beside the plain one or plain
// beside the sealed one. CHECK (aegis.is_twin(column, twin)) says which belong together, and
// follows renames, partitions and restores as the constraint of a sealed column does.
#pragma once

#include "field.hpp"

namespace aegis::field {

struct Pair {
    AttrNumber source;  // what statements write
    AttrNumber twin;    // what follows it
    Column sealed;      // which of them is sealed, for which field, and bound to what
    bool seals() const { return sealed.number == twin; }
};

// Most columns of a table that are converted at a time.
inline constexpr int kMostPairs = 8;
int find_pairs(TupleDesc row, Pair *pairs);
// The pair of a field; false when the table has none.
bool find_pair(TupleDesc row, uint32_t reference, Pair *pair);
// Sets is_twin of those that are the sealed twin of a column.
void mark_twins(TupleDesc row, Column *columns, int count);

// Whether values of a plain column can be sealed as this type beside writers: those of its plain
// type, and of text in any form.
bool has_plaintext(const sealed::Type &type, Oid plain);
// The bytes that are sealed of a value of a plain column, padding left out.
core::ByteView plaintext_of(const sealed::Type &type, Datum value, Oid plain);

// Whether the twin of a row is what it has to be.
bool is_true_twin(const Pair &pair, const Field &field, TupleDesc shape, HeapTuple row);
// The twin that the row has to have; *is_null tells. ERROR when the value cannot be sealed or
// opened, or the row does not say for whom.
Datum make_twin(const Pair &pair, const Field &field, TupleDesc shape, HeapTuple row,
                bool *is_null);
// True when twins of the row's tenant cannot be sealed now, because its search key is rotated.
bool is_held_back(const Pair &pair, const Field &field, TupleDesc shape, HeapTuple row);

void define_twin();  // called from field::define

}  // namespace aegis::field
