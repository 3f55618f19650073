// SPDX-License-Identifier: Apache-2.0
#include "verify_policy.hpp"

#include "core/cosignature.hpp"
#include "core/error.hpp"
#include "verify_io.hpp"
#include "verify_proof.hpp"

namespace aegis::verify_tool {

namespace {

bool same_key(const core::NoteKey &a, const core::NoteKey &b) {
    return memcmp(a.public_key, b.public_key, sizeof a.public_key) == 0;
}

std::string time_of(uint64_t seconds) {
    constexpr uint64_t kMicros = 1000000;
    return seconds > INT64_MAX / kMicros ? "an impossible time"
                                         : time_text(static_cast<int64_t>(seconds * kMicros));
}

}  // namespace

void add_policy_options(command_line::Command *command, PolicyOptions *options) {
    command->option("--witness", &options->witnesses,
                    "Witness that must have cosigned the checkpoints (vkey). Repeatable");
    command
        ->option("--quorum", &options->quorum,
                 "So many of the witnesses are enough; all, when it is not given")
        .positive();
}

Policy::Policy(const PolicyOptions &options, const std::vector<core::NoteKey> &log_keys)
    : witnesses_(parse_keys(options.witnesses)),
      quorum_(options.quorum == 0 ? witnesses_.size() : options.quorum) {
    // One key under two names would be counted twice.
    for (size_t at = 0; at < witnesses_.size(); ++at) {
        const core::NoteKey &key = witnesses_[at];
        if (key.type != core::NoteKeyType::ed25519_cosignature)
            fail("\"" + key.name + "\" is the key of a log, not of a witness",
                 "Give it with --key.");
        for (size_t before = 0; before < at; ++before)
            if (same_key(key, witnesses_[before]))
                fail("\"" + key.name + "\" and \"" + witnesses_[before].name + "\" are one key",
                     "Give each witness once.");
        for (const core::NoteKey &log : log_keys)
            if (log.type == core::NoteKeyType::ed25519 && same_key(key, log))
                fail("\"" + key.name + "\" has the key of the log",
                     "A log is no witness of itself.");
    }
    if (quorum_ > witnesses_.size())
        fail("a quorum of " + std::to_string(quorum_) + " of " + std::to_string(witnesses_.size()) +
                 " witnesses cannot be met",
             "Give more witnesses with --witness, or a smaller --quorum.");
}

std::string Policy::finding(const core::Note &note) const {
    std::vector<core::Cosigner> cosigners;
    try {
        cosigners = core::cosigners_of(note, witnesses_);
    } catch (const core::Error &) {
        return "the cosignature of a witness does not verify";
    }
    if (cosigners.size() >= quorum_) return "";
    std::string missing;
    for (size_t at = 0; at < witnesses_.size(); ++at) {
        bool there = false;
        for (const core::Cosigner &cosigner : cosigners) there = there || cosigner.witness == at;
        if (!there)
            missing += (missing.empty() ? "\"" : ", \"") + plain(witnesses_[at].name) + "\"";
    }
    return "the checkpoint is cosigned by " + std::to_string(cosigners.size()) + " of " +
           std::to_string(quorum_) + " witnesses; not by " + missing;
}

std::string Policy::cosigned(const core::Note &note) const {
    std::string text;
    for (const core::Cosigner &cosigner : core::cosigners_of(note, witnesses_))
        text += (text.empty() ? "cosigned by \"" : ", \"") +
                plain(witnesses_[cosigner.witness].name) + "\" at " + time_of(cosigner.timestamp);
    return text;
}

}  // namespace aegis::verify_tool
