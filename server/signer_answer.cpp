// SPDX-License-Identifier: Apache-2.0
#include "signer_answer.hpp"

#include <vector>

#include "core/add_checkpoint.hpp"
#include "core/error.hpp"
#include "log.hpp"

namespace aegis::server {

namespace {

using Fields = std::vector<std::pair<std::string_view, std::string>>;

std::string refuse(Level level, const char *status, std::string_view reason, Fields fields) {
    fields.insert(fields.begin(), {{"status", status}, {"reason", std::string(reason)}});
    log_event(level, "refused", fields);
    return std::string(status) + "\n";
}

// The signature line of a note with one signature.
std::string signature_of(const SignedHead &head) {
    return head.note.substr(head.note.rfind("\n\n") + 2);
}

std::string sign(SignerState *state, const core::Checkpoint &next, const Fields &fields) {
    const SignedHead *head = nullptr;
    try {
        head = &state->advance(next);
    } catch (const FileError &error) {
        return refuse(Level::error, "500", error.what(), fields);
    }
    log_event(Level::info, "signed", fields);
    return "200\n" + signature_of(*head);
}

}  // namespace

std::string answer_of(SignerState *state, std::string_view body) {
    core::AddCheckpoint request;
    core::Checkpoint next;
    try {
        request = core::parse_add_checkpoint(body);
        next = core::parse_checkpoint(request.text);
    } catch (const core::Error &error) {
        return refuse(Level::warn, "400", error.message, {});
    }
    const SignedHead *last = state->find(next.origin);
    // A stranger's text does not go into our log.
    if (last == nullptr) return refuse(Level::warn, "404", "the log is not known", {});
    const Fields fields = {{"origin", next.origin},
                           {"signed_size", std::to_string(last->checkpoint.size)},
                           {"old", std::to_string(request.old)},
                           {"size", std::to_string(next.size)},
                           {"root", core::format_hash(next.root)}};
    try {
        switch (core::judge(last->checkpoint, request, next)) {
            case core::Verdict::sign:
                return sign(state, next, fields);
            case core::Verdict::shorter:
                return refuse(Level::warn, "400", "the new head is shorter than the old", fields);
            case core::Verdict::conflict:
                return refuse(Level::warn, "409", "another size was signed last", fields) +
                       std::to_string(last->checkpoint.size) + "\n";
            case core::Verdict::unproven:
                return refuse(Level::error, "422",
                              "the new head does not extend what was signed: another history",
                              fields);
            case core::Verdict::fork:
                return refuse(Level::error, "422",
                              "FORK: another head of this size was signed already", fields);
        }
    } catch (const core::Error &error) {
        return refuse(Level::error, "500", error.message, fields);
    }
    return refuse(Level::error, "500", "the request was not judged", fields);
}

}  // namespace aegis::server
