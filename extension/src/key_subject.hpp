// SPDX-License-Identifier: Apache-2.0
// Keys of data subjects: random, one for each person of a tenant, stored wrapped under the tenant's
// root in aegis.subject_key by a keyed name that does not say who it is. docs/subject.md.
#pragma once

#include "core/subject.hpp"
#include "pg/postgres.hpp"

namespace aegis::core {
class EnvelopeKey;
class Xaes;
}  // namespace aegis::core

namespace aegis::key {

enum class SubjectState : uint8_t { none, present, destroyed };

// The newest row of a subject in aegis.subject_key.
struct SubjectRow {
    uint32_t generation;  // 0: there is none
    uint32_t epoch;       // of the root that wraps
    bool destroyed;
    uint8_t wrapped[core::kWrappedRootBytes];
};

// A subject is given as core::encode_subject() writes it.

// The cipher of a field of a subject. *epoch and lifetime as of field_cipher(). Where `make` is
// set, a subject that has no key gets one: runs SPI, and waits for whoever makes the same one.
// ERROR AG003 when there is none to open with, AG005 when it was destroyed, others as
// field_cipher().
const core::EnvelopeKey *subject_cipher(const pg_uuid_t &tenant, core::ByteView subject,
                                        uint32_t field, uint32_t *epoch, bool make);
SubjectState subject_state(const pg_uuid_t &tenant, core::ByteView subject);
// What its row is found by.
void subject_name(const pg_uuid_t &tenant, core::ByteView subject,
                  uint8_t out[core::kSubjectNameBytes]);
// What wraps the keys under the root of an epoch; *epoch and lifetime as of field_cipher().
const core::Xaes *subject_kek(const pg_uuid_t &tenant, uint32_t *epoch);
SubjectRow find_subject(const pg_uuid_t &tenant, core::ByteView name);
// Makes the key of a generation unless somebody else has made it. True when it did. Runs SPI.
bool insert_subject(const pg_uuid_t &tenant, core::ByteView name, uint32_t generation);

// Wraps up to a thousand keys of a tenant that stand under older roots under that of an epoch, and
// returns how many. Inside an SPI connection as aegis_owner.
int64 rewrap_subjects(const pg_uuid_t &tenant, uint32_t epoch);

// For SQL: the encoded subject of a value in new memory. ERROR 42804 for a type that names nobody,
// 54000 for a text that is too long, 22023 for an empty one.
core::ByteView encode_subject(Oid type, Datum value);
// Whether values of a type can name a subject.
bool can_name_subject(Oid type);

void define_subject();  // called from key::define

}  // namespace aegis::key
