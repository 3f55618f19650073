// SPDX-License-Identifier: Apache-2.0
#include "witness_answer.hpp"

#include <vector>

#include "core/add_checkpoint.hpp"
#include "core/error.hpp"
#include "head.hpp"
#include "log.hpp"
#include "state_folder.hpp"

namespace aegis::server {

namespace {

using Fields = std::vector<std::pair<std::string_view, std::string>>;

constexpr std::string_view kMonitor = "/checkpoint";

WitnessAnswer refuse(Level level, int status, std::string_view reason, Fields fields,
                     const std::string &body = "") {
    fields.insert(fields.begin(),
                  {{"status", std::to_string(status)}, {"reason", std::string(reason)}});
    log_event(level, "refused", fields);
    return {status, body.empty() ? std::string(reason) + "\n" : body};
}

// The log's signature as a line of its own; empty when its key did not sign.
std::string signature_by(const core::NoteKey &key, const core::Note &note) {
    if (!core::note_is_signed(note, key)) return "";
    for (const core::NoteSignature &s : note.signatures)
        if (s.name == key.name && memcmp(s.id, key.id, core::kNoteKeyIdBytes) == 0)
            return core::format_signature(s);
    return "";
}

WitnessAnswer cosign(WitnessState *state, const core::Checkpoint &next,
                     const std::string &signature, const Fields &fields) {
    std::string line;
    try {
        line = state->advance(next, signature);
    } catch (const FileError &error) {
        log_event(Level::error, "refused", {{"status", "500"}, {"reason", error.what()}});
        return {500, "the head could not be kept\n"};
    }
    log_event(Level::info, "cosigned", fields);
    return {200, line};
}

WitnessAnswer judged(WitnessState *state, const core::AddCheckpoint &request,
                     const core::Checkpoint &next, const std::string &signature) {
    const core::Checkpoint last = state->find(next.origin)->checkpoint;
    const Fields fields = {{"origin", next.origin},
                           {"cosigned_size", std::to_string(last.size)},
                           {"old", std::to_string(request.old)},
                           {"size", std::to_string(next.size)},
                           {"root", core::format_hash(next.root)}};
    switch (core::judge(last, request, next)) {
        case core::Verdict::sign:
            return cosign(state, next, signature, fields);
        case core::Verdict::shorter:
            return refuse(Level::warn, 400, "the new head is shorter than the old", fields);
        case core::Verdict::conflict: {
            WitnessAnswer answer = refuse(Level::warn, 409, "another size was cosigned last",
                                          fields, std::to_string(last.size) + "\n");
            answer.type = "text/x.tlog.size";
            return answer;
        }
        case core::Verdict::unproven:
            return refuse(Level::error, 422,
                          "the new head does not extend what was cosigned: another history",
                          fields);
        case core::Verdict::fork:
            return refuse(Level::error, 422, "FORK: another head of this size was cosigned already",
                          fields);
    }
    return refuse(Level::error, 500, "the request was not judged", fields);
}

const char *phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 400:
            return "Bad Request";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 409:
            return "Conflict";
        case 422:
            return "Unprocessable Content";
        default:
            return status < 500 ? "Refused" : "Internal Server Error";
    }
}

std::string http(const WitnessAnswer &answer) {
    return "HTTP/1.1 " + std::to_string(answer.status) + " " + phrase(answer.status) +
           "\r\nContent-Type: " + answer.type +
           "\r\nContent-Length: " + std::to_string(answer.body.size()) +
           "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
           "Connection: close\r\n\r\n" +
           answer.body;
}

// "/NAME/checkpoint" -> NAME; empty for any other path.
std::string_view monitored(std::string_view path) {
    if (path.size() <= 1 + kMonitor.size() ||
        path.substr(path.size() - kMonitor.size()) != kMonitor)
        return "";
    return path.substr(1, path.size() - 1 - kMonitor.size());
}

}  // namespace

WitnessAnswer add_checkpoint(WitnessState *state, std::string_view body) {
    core::AddCheckpoint request;
    core::Note note;
    core::Checkpoint next;
    try {
        request = core::parse_add_checkpoint(body);
        note = core::parse_note(request.text);
        next = core::parse_checkpoint(note.text);
    } catch (const core::Error &error) {
        return refuse(Level::warn, 400, error.message, {});
    }
    const WatchedLog *log = state->find(next.origin);
    // A stranger's text does not go into our log.
    if (log == nullptr) return refuse(Level::warn, 404, "the log is not known", {});
    try {
        const std::string signature = signature_by(log->key, note);
        if (signature.empty())
            return refuse(Level::warn, 403, "the log's key did not sign the checkpoint",
                          {{"origin", next.origin}});
        return judged(state, request, next, signature);
    } catch (const core::Error &error) {
        if (error.code == core::Code::cannot_open)
            return refuse(Level::warn, 403, error.message, {{"origin", next.origin}});
        return refuse(Level::error, 500, error.message, {{"origin", next.origin}});
    }
}

WitnessAnswer cosigned_checkpoint(const WitnessState &state, std::string_view name) {
    for (const auto &[origin, log] : state.logs())
        if (hex_of_name(origin) == name && log.checkpoint.size > 0) return {200, log.note};
    return {404, "nothing of this log was cosigned\n"};
}

std::string WitnessExchange::answer(std::string_view request, bool ended) {
    HeadLimits limits;
    limits.bytes = kMaxWitnessHeadBytes;
    limits.line_bytes = 1024;
    Head head;
    size_t consumed = 0;
    Refusal refused;
    switch (parse_head(request, limits, &head, &consumed, &refused)) {
        case HeadState::incomplete:
            return ended && !request.empty() ? refusal(400) : "";
        case HeadState::refused:
            log_event(Level::warn, "refused",
                      {{"status", std::to_string(refused.status)}, {"reason", refused.title}});
            return http({refused.status, std::string(refused.title) + "\n"});
        case HeadState::complete:
            break;
    }
    const std::string_view body = request.substr(consumed);
    if (head.content_length > core::kMaxAddCheckpointBytes) return refusal(400);
    if (body.size() < head.content_length) return ended ? refusal(400) : "";
    const bool adding = head.path == "/add-checkpoint";
    const std::string_view name = monitored(head.path);
    if ((adding && head.method != "POST") || (!name.empty() && head.method != "GET"))
        return http({405, "the method is not allowed here\n"});
    if (adding) return http(add_checkpoint(state_, body.substr(0, head.content_length)));
    if (!name.empty()) return http(cosigned_checkpoint(*state_, name));
    return http({404, "not found\n"});
}

std::string WitnessExchange::refusal(int status) {
    return http({status, status == 403 ? "this user may not ask\n" : "the request is malformed\n"});
}

}  // namespace aegis::server
