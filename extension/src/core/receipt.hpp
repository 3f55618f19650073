// SPDX-License-Identifier: Apache-2.0
// A receipt, version 1: a C2SP tlog-proof over the root log whose `extra` carries one entry and the
// proof that it is in a tenant's log. docs/format/receipt-v1.md.
//
// The leaf that the file proves is the head of that log (seal-v1), which the reader derives from
// the extra: what is in it is believed only because its hash is under the signed root.
//   extra = base64 of ["aegis/receipt/1", entry body, leaf index, log size, [hashes], log id]
#pragma once

#include "core/checkpoint.hpp"
#include "core/seal.hpp"

namespace aegis::core {

inline constexpr std::string_view kReceiptType = "aegis/receipt/1";

struct Receipt {
    std::string body;   // of the entry
    uint64_t leaf = 0;  // its index in the log of its tenant
    uint64_t size = 0;  // of that log at the head
    Proof path;         // from the entry to the head's root
    uint8_t log_id[kLogIdBytes] = {};
    uint64_t index = 0;  // of the head in the root log
    Proof root_path;     // from the head to the checkpoint's root
    std::string note;    // the signed checkpoint, verbatim
};

std::string format_receipt(const Receipt &receipt);
// Throws malformed unless the text is a receipt in its only spelling and its body an entry.
Receipt parse_receipt(std::string_view text);
// True for a proof file that has an extra, which only a receipt has.
bool is_receipt(std::string_view text);

// The leaf hash of the head that entry and path lead to, and its root. False when the path does not
// have the length that leaf and size demand.
bool receipt_head(const Receipt &receipt, Digest *root, Digest *head);
// Whether the checkpoint covers the entry. Its signatures and origin are the caller's to check.
bool verify_receipt(const Receipt &receipt, const Checkpoint &checkpoint);

}  // namespace aegis::core
