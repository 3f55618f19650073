// SPDX-License-Identifier: Apache-2.0
#include "region_route.hpp"

#include "core/session_token.hpp"
#include "credential.hpp"
#include "json_reader.hpp"
#include "log.hpp"

#include <algorithm>
#include <tuple>

namespace aegis::server {

namespace {

using Said = std::vector<std::optional<TenantHome>>;

// One index look-up: a database that needs longer is not there.
constexpr auto kPatience = std::chrono::milliseconds(1000);

enum class Hint { token, tenant, region, new_name };

// Where nobody is known yet, a member of the body is all that there is.
struct BodyHint {
    std::string_view method, path, member;
    Hint hint;
};
constexpr BodyHint kBodyHints[] = {
    {"POST", "/api/session", "tenant", Hint::tenant},
    {"POST", "/api/session/challenge", "challenge", Hint::token},
    {"POST", "/api/session/enrolment", "challenge", Hint::token},
    {"POST", "/api/password-reset", "tenant", Hint::tenant},
    {"PUT", "/api/password-reset", "token", Hint::token},
    {"POST", "/api/invitation", "token", Hint::token},
    {"POST", "/api/sign-up", "region", Hint::region},
    {"PUT", "/api/sign-up", "token", Hint::new_name},
};

const BodyHint *hint_of(const Route &route) {
    for (const BodyHint &hint : kBodyHints)
        if (hint.method == route.method && hint.path == route.path) return &hint;
    return nullptr;
}

// As the database reads these members: without blanks around them.
std::optional<std::string> member_of(const JsonReader &members, std::string_view name) {
    std::optional<std::string> text = members.text(name);
    if (!text) return std::nullopt;
    text->erase(0, text->find_first_not_of(' '));
    text->erase(text->find_last_not_of(' ') + 1);
    return text;
}

}  // namespace

size_t RegionRoute::by_host(const Head &head) const {
    const size_t found = regions_.of_host(head.host);
    return found < regions_.size() ? found : regions_.home();
}

std::optional<size_t> RegionRoute::by_head(const Head &head, const Route &route) const {
    if (hint_of(route) != nullptr) return std::nullopt;
    const size_t found = regions_.named(
        core::region_of_token(route.is_public ? shown_token_of(head) : principal_of(head)));
    return found < regions_.size() ? found : by_host(head);
}

Destination RegionRoute::by_body(const Head &head, const Route &route, std::string_view body,
                                 std::deque<Database> *databases) const {
    Destination to;
    to.region = by_host(head);
    const BodyHint *hint = hint_of(route);
    if (hint == nullptr) return to;
    const JsonReader members(body);
    const std::optional<std::string> said = member_of(members, hint->member);
    // What is read here in another way than in the database could take any name.
    to.name_is_elsewhere = hint->hint == Hint::new_name && !members.is_well();
    if (!said) return to;
    if (hint->hint == Hint::tenant) return by_name(*said, databases);
    const size_t found =
        regions_.named(hint->hint == Hint::region ? *said : core::region_of_token(*said));
    if (found < regions_.size()) to.region = found;
    const std::optional<std::string> name = member_of(members, "slug");
    const bool ours = regions_.proxy() || to.region == regions_.home();
    if (hint->hint != Hint::new_name || !name || !ours) return to;
    bool complete = true;
    const Said all = ask(*name, databases, &complete);
    const std::optional<size_t> owned = owner(all);
    to.name_is_elsewhere = (owned && *owned != to.region) ||
                           (!owned && tombstone(all).value_or(to.region) != to.region);
    // Two tenants of one name could not both be found.
    to.known = complete || to.name_is_elsewhere;
    return to;
}

Said RegionRoute::ask(const std::string &name, std::deque<Database> *databases,
                      bool *complete) const {
    const core::Digest hash = core::sha256(core::as_bytes(name));
    Said said(regions_.size());
    std::vector<bool> asked(regions_.size());
    Failure failure;
    for (size_t at = 0; at < regions_.size(); ++at) {
        Region &region = regions_.at(at);
        if (!region.has_database()) continue;
        region.await_first_word();
        if (region.answers() && !region.keeps_waiting()) {
            asked[at] = (*databases)[at].ask_home(hash, kPatience, &failure);
            if (!asked[at]) region.kept_waiting();
        }
        *complete = *complete && asked[at];
    }
    for (size_t at = 0; at < regions_.size(); ++at) {
        if (!asked[at]) continue;
        Database &database = (*databases)[at];
        failure = Failure();
        said[at] = database.take_home(kPatience, &failure);
        // A connection that was lost unnoticed; nothing happens twice.
        if (!said[at] && failure.kind == Failure::Kind::unavailable &&
            database.ask_home(hash, kPatience, &failure))
            said[at] = database.take_home(kPatience, &failure);
        if (said[at])
            regions_.at(at).answered();
        else if (failure.kind == Failure::Kind::refused)
            log_event(Level::error, "directory_refused",
                      {{"region", regions_.at(at).name()}, {"sqlstate", failure.sqlstate}});
        else  // also where the second connection could not be had: that may have taken its time
            regions_.at(at).kept_waiting();
        *complete = *complete && said[at].has_value();
    }
    return said;
}

// The older tenant, should two regions have one of this name; before them, one that is active.
std::optional<size_t> RegionRoute::owner(const Said &said) const {
    std::optional<size_t> best;
    auto rank = [&](size_t at) {
        return std::make_tuple(said[at]->state != TenantHome::State::here, said[at]->place,
                               std::string_view(regions_.at(at).name()));
    };
    for (size_t at = 0; at < said.size(); ++at) {
        if (!said[at] || (said[at]->state != TenantHome::State::here &&
                          said[at]->state != TenantHome::State::suspended))
            continue;
        if (!best || rank(at) < rank(*best)) best = at;
    }
    return best;
}

// Where one that nobody has any more went: there, unless it answered that it has none.
std::optional<size_t> RegionRoute::tombstone(const Said &said) const {
    for (size_t at = 0; at < said.size(); ++at) {
        if (!said[at] || said[at]->state != TenantHome::State::moved) continue;
        const size_t to = regions_.named(said[at]->region);
        if (to < regions_.size() && !said[to]) return to;
    }
    for (size_t at = 0; at < said.size(); ++at)
        if (said[at] && said[at]->state == TenantHome::State::moved) return at;
    return std::nullopt;
}

Destination RegionRoute::by_name(const std::string &name, std::deque<Database> *databases) const {
    Destination to;
    bool complete = true;
    const Said said = ask(name, databases, &complete);
    if (const auto owned = owner(said)) {
        to.region = *owned;
    } else if (const auto moved = tombstone(said)) {
        to.region = *moved;
    } else {
        to.region = regions_.home();
        to.known = complete;
        for (size_t at = 0; at < said.size(); ++at)
            if (said[at] && (!said[to.region] || said[at]->place > said[to.region]->place))
                to.region = at;
    }
    return to;
}

}  // namespace aegis::server
