// SPDX-License-Identifier: Apache-2.0
// The catalogue of event types: which exist, who may write them, which details they carry and which
// of those are personal. docs/catalogue.md.
#pragma once

#include "ledger.hpp"
#include "pg/postgres.hpp"

namespace aegis::catalogue {

enum class Writer : uint8_t { c, sql };

struct DetailField {
    const char *name;
    bool personal;  // stored sealed
    bool required;
};

struct EventType {
    char name[NAMEDATALEN];  // hash key
    Writer writer;
    bool withheld;  // entries are the system's, not the tenant's
    int field_count;
    const DetailField *fields;
};

// The declared type, cached; ERROR AG015 when there is none.
const EventType &require(const char *name);

// The same of what an application may have written; ERROR for the types of Aegis.
const EventType &require_open(const char *name);

#ifdef AEGIS_TESTING
// ERROR AG015 for details of a type of Aegis that are not as declared; those of applications were
// checked when they were encoded. What Aegis writes is its own code's: the tests find a difference,
// and no sign-in of a running system fails for one.
void check_detail(const EventType &type, core::ByteView detail);
#endif

// In the handler of a GET: charges its event, for what was read is read, whatever becomes of the
// request's transaction. The slot to settle once the entry is written, or -1.
int charge_reading(const ledger::Event &event);

void define();

}  // namespace aegis::catalogue
