// SPDX-License-Identifier: Apache-2.0
#include "core/add_checkpoint.hpp"

#include "core/error.hpp"

namespace aegis::core {

namespace {

constexpr std::string_view kOldLabel = "old ";
constexpr size_t kMaxHashes = 63;

[[noreturn]] void malformed(const char *message) {
    throw Error{Code::malformed, message};
}

}  // namespace

std::string format_add_checkpoint(const AddCheckpoint &request) {
    std::string body = std::string(kOldLabel) + std::to_string(request.old) + "\n";
    for (const Digest &hash : request.proof) body += format_hash(hash) + "\n";
    return body + "\n" + std::string(request.text);
}

AddCheckpoint parse_add_checkpoint(std::string_view body) {
    if (body.size() > kMaxAddCheckpointBytes) malformed("the request is too long");
    AddCheckpoint request;
    std::string_view line = take_line(&body);
    if (line.substr(0, kOldLabel.size()) != kOldLabel)
        malformed("the request must name the old size");
    request.old = parse_decimal(line.substr(kOldLabel.size()));
    while (!(line = take_line(&body)).empty()) {
        if (request.proof.size() == kMaxHashes) malformed("a proof has at most 63 hashes");
        request.proof.push_back(parse_hash(line));
    }
    request.text = body;
    return request;
}

Verdict judge(const Checkpoint &last, const AddCheckpoint &request, const Checkpoint &next) {
    if (next.size < request.old) return Verdict::shorter;
    if (request.old != last.size) return Verdict::conflict;
    if (next.size == last.size) {
        if (next.root != last.root) return Verdict::fork;
        return request.proof.empty() ? Verdict::sign : Verdict::unproven;
    }
    // Everything extends the empty log, so there is nothing to prove.
    if (last.size == 0) return request.proof.empty() ? Verdict::sign : Verdict::unproven;
    return verify_consistency(last.size, next.size, request.proof, last.root, next.root)
               ? Verdict::sign
               : Verdict::unproven;
}

}  // namespace aegis::core
