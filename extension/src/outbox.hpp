// SPDX-License-Identifier: Apache-2.0
// Work for aegis-agent, the one process that makes outbound calls: rows that the deciding
// transaction writes, whose payload is sealed until it is sent. docs/outbox.md.
#pragma once

#include "core/bytes.hpp"
#include "pg/postgres.hpp"

namespace aegis::outbox {

inline constexpr size_t kMaxPayloadBytes = 1024 * 1024;
inline constexpr size_t kMaxKeyBytes = 255;

struct Job {  // views and PODs only
    const char *kind;
    core::ByteView payload;             // what the kind's transport reads; sealed here
    const char *destination = nullptr;  // a registered one; nullptr for mail
    const char *target = nullptr;       // what it is about, nothing personal
    const pg_uuid_t *tenant = nullptr;  // whose key seals the payload; nullptr: the system's
    // The same work asked for twice under one key is one job; nullptr: always a job of its own.
    const char *key = nullptr;
    TimestampTz not_before = DT_NOBEGIN;  // at once
    TimestampTz expires_at = DT_NOEND;    // the kind's lifetime
};

// In an SPI connection, as aegis_owner (pg::enter()). The number of the job. ERROR 22023 for what
// cannot be sent, AG004 while the key is missing.
int64 queue(const Job &job);

enum class Standing { idle, moving, stale };
// Whether due work waits longer than aegis.outbox_patience. Opens an SPI connection of its own.
Standing standing();
const char *name_of(Standing standing);

}  // namespace aegis::outbox
