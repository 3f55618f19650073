// SPDX-License-Identifier: Apache-2.0
// How many failed attempts a network and a tenant get in a minute, how many hashes a user, and how
// many mails an address in an hour: the same whether what was tried exists; and how many values a
// session may open. A budget is one number in memory that no rollback reverts, found by a keyed
// hash of its name, so that nobody can fill the table. docs/budget.md.
#pragma once

#include <atomic>

#include "pg/postgres.hpp"

namespace aegis::budget {

inline constexpr uint32_t kCells = 65536;
inline constexpr uint32_t kRevealCells = 16384;

struct Table {
    uint8_t seed[32];
    std::atomic<int64_t> used_until[kCells];            // at most a minute ahead of now
    std::atomic<int64_t> revealed_until[kRevealCells];  // at most their window ahead
    std::atomic<int64_t> mailed_until[kCells];          // at most an hour ahead
};

struct Attempt {
    const char *refused;  // nullptr: taken; else "network" or "tenant"
    int retry_after;
    int count;
    uint32_t cells[2];
    int64_t costs[2];
};
// Takes an attempt before anything is looked at. An address that is not said (nullptr) or is none
// has no network; without a tenant (as typed) only the network counts. What is refused is recorded
// and takes nothing.
void take(const char *ip, const char *tenant, Attempt *attempt);
// For attempts that did not fail.
void give_back(const Attempt &attempt);
// For one that a later request finds not to have failed: what it took from the network of `ip`.
void give_back(const char *ip);

// Takes one of the hashes that a user may have computed for nothing; false: *retry_after tells.
bool take_hash(const pg_uuid_t &user, int *retry_after);
// Takes one of the values that a session may open within a window of so many microseconds; refilled
// steadily. docs/step_up.md.
bool take_reveal(const pg_uuid_t &session, int64 window, int per_window);

// Takes one of the mails that an address gets in an hour of what somebody else set going; `address`
// is any name of it that is always the same. False: *retry_after tells.
bool take_mail(core::ByteView address, int *retry_after);

// The network of an address: the /24 of IPv4, the /64 of IPv6, as text; false when it is no
// address.
inline constexpr size_t kNetworkBytes = 64;
bool network_of(const char *ip, char (&out)[kNetworkBytes]);

void create();  // postmaster only, once the region is mapped

}  // namespace aegis::budget
