// SPDX-License-Identifier: Apache-2.0
#include "core/entry.hpp"

#include <climits>

#include "core/error.hpp"
#include "core/merkle.hpp"

namespace aegis::core {

namespace {

enum Key : uint64_t {
    kType = 0,
    kEpoch = 1,
    kTenant = 2,
    kEvent = 3,
    kTime = 4,
    kOutcome = 5,
    kActor = 6,
    kRequest = 7,
    kOrigin = 8,
    kTarget = 9,
    kDetail = 10,
    kImage = 11,
    kXid = 12,
    kOrdinal = 13
};
enum ActorKey : uint64_t {
    kSessionUser = 0,
    kUser = 1,
    kSession = 2,
    kRank = 3,
    kWay = 4,
    kJob = 5
};
enum OriginKey : uint64_t { kIp = 0, kUserAgent = 1, kConnection = 2, kApplication = 3 };
enum ImageKey : uint64_t {
    kRelation = 0,
    kOperation = 1,
    kPrimaryKey = 2,
    kOld = 3,
    kNew = 4,
    kSealedRest = 5
};

constexpr size_t kUuidBytes = 16;
constexpr uint8_t kEmptyMap = 0xa0;

[[noreturn]] void malformed() {
    throw Error{Code::malformed, "not a ledger entry of version 1"};
}

// An empty map says nothing and is left out, so that absence has one spelling.
bool has_pairs(ByteView encoded_map) {
    return encoded_map.size != 0 && !(encoded_map.size == 1 && encoded_map.data[0] == kEmptyMap);
}

uint64_t actor_pairs(const EntryFields &f) {
    return uint64_t{!f.session_user.empty()} + (f.user.size != 0) + (f.session.size != 0) +
           (f.rank > 0) + (f.way > 0) + (f.job != 0);
}

bool has_target(const EntryFields &f) {
    return !f.target_kind.empty() || !f.target_id.empty();
}

void write_actor(CborWriter *w, const EntryFields &f, uint64_t pairs) {
    w->map(pairs);
    if (!f.session_user.empty()) {
        w->unsigned_int(kSessionUser);
        w->text(f.session_user);
    }
    if (f.user.size) {
        w->unsigned_int(kUser);
        w->bytes(f.user);
    }
    if (f.session.size) {
        w->unsigned_int(kSession);
        w->bytes(f.session);
    }
    if (f.rank > 0) {
        w->unsigned_int(kRank);
        w->unsigned_int(static_cast<uint64_t>(f.rank));
    }
    if (f.way > 0) {
        w->unsigned_int(kWay);
        w->unsigned_int(static_cast<uint64_t>(f.way));
    }
    if (f.job) {
        w->unsigned_int(kJob);
        w->unsigned_int(f.job);
    }
}

// Typed reads. Each refuses what an encoder of this version never writes.
class Reader {
 public:
    explicit Reader(ByteView in) : in_(in), cbor_(in) {}
    bool done() const { return cbor_.done(); }

    CborItem expect(CborType type) {
        const CborItem item = cbor_.next();
        if (item.type != type) malformed();
        return item;
    }
    uint64_t unsigned_int() { return expect(CborType::unsigned_int).value; }
    uint64_t positive() {
        const uint64_t v = unsigned_int();
        if (v == 0) malformed();
        return v;
    }
    int positive_int() {
        const uint64_t v = positive();
        if (v > INT_MAX) malformed();
        return static_cast<int>(v);
    }
    int64_t signed_int() {
        const CborItem item = cbor_.next();
        if ((item.type != CborType::unsigned_int && item.type != CborType::negative_int) ||
            item.value > INT64_MAX)
            malformed();
        const int64_t v = static_cast<int64_t>(item.value);
        return item.type == CborType::unsigned_int ? v : -1 - v;
    }
    std::string_view text() {
        const ByteView body = expect(CborType::text).body;
        return {reinterpret_cast<const char *>(body.data), body.size};
    }
    std::string_view some_text() {
        const std::string_view v = text();
        if (v.empty()) malformed();
        return v;
    }
    ByteView some_bytes() {
        const ByteView body = expect(CborType::bytes).body;
        if (body.size == 0) malformed();
        return body;
    }
    ByteView uuid() {
        const ByteView body = expect(CborType::bytes).body;
        if (body.size != kUuidBytes) malformed();
        return body;
    }
    // A view of the items read since a position.
    size_t position() const { return cbor_.position(); }
    ByteView since(size_t start) const { return in_.slice(start, cbor_.position() - start); }
    CborItem any() { return cbor_.next(); }
    uint64_t some_map() {
        const uint64_t pairs = expect(CborType::map).value;
        if (pairs == 0) malformed();
        return pairs;
    }

 private:
    ByteView in_;
    CborReader cbor_;
};

void read_actor(Reader *r, EntryFields *f) {
    uint64_t next = 0;
    for (uint64_t pairs = r->some_map(); pairs > 0; --pairs) {
        const uint64_t key = r->unsigned_int();
        if (key < next) malformed();
        next = key + 1;
        switch (key) {
            case kSessionUser:
                f->session_user = r->some_text();
                break;
            case kUser:
                f->user = r->uuid();
                break;
            case kSession:
                f->session = r->uuid();
                break;
            case kRank:
                f->rank = r->positive_int();
                break;
            case kWay:
                f->way = r->positive_int();
                break;
            case kJob:
                f->job = r->positive();
                break;
            default:
                malformed();
        }
    }
}

void read_target(Reader *r, EntryFields *f) {
    if (r->expect(CborType::array).value != 2) malformed();
    f->target_kind = r->text();
    f->target_id = r->text();
    if (!has_target(*f)) malformed();
}

// A map of names to values that have no parts: how the details and the rows of an image are
// written.
ByteView read_named(Reader *r, bool nulls) {
    const size_t start = r->position();
    ByteView previous;
    for (uint64_t pairs = r->some_map(); pairs > 0; --pairs) {
        const size_t at = r->position();
        r->text();
        const ByteView name = r->since(at);
        if (previous.size && !cbor_key_ascends(previous, name)) malformed();
        previous = name;
        const CborItem value = r->any();
        switch (value.type) {
            case CborType::unsigned_int:
            case CborType::negative_int:
                if (value.value > INT64_MAX) malformed();
                break;
            case CborType::text:
            case CborType::boolean:
            case CborType::bytes:
                break;
            case CborType::null:
                if (!nulls) malformed();
                break;
            default:
                malformed();
        }
    }
    return r->since(start);
}

ByteView read_image(Reader *r) {
    const size_t start = r->position();
    uint64_t next = 0;
    bool relation = false, operation = false;
    for (uint64_t pairs = r->some_map(); pairs > 0; --pairs) {
        const uint64_t key = r->unsigned_int();
        if (key < next) malformed();
        next = key + 1;
        switch (key) {
            case kRelation:
                r->some_text();
                relation = true;
                break;
            case kOperation: {
                const std::string_view code = r->text();
                if (code != "I" && code != "U" && code != "D" && code != "T") malformed();
                operation = true;
                break;
            }
            case kPrimaryKey:
                read_named(r, false);
                break;
            case kOld:
            case kNew:
                read_named(r, true);
                break;
            case kSealedRest:
                r->some_bytes();
                break;
            default:
                malformed();
        }
    }
    if (!relation || !operation) malformed();
    return r->since(start);
}

}  // namespace

size_t encode_entry(const EntryFields &f, ByteSpan out) noexcept {
    const uint64_t actor = actor_pairs(f);
    const bool detail = has_pairs(f.detail), image = has_pairs(f.image);
    CborWriter w(out);
    w.map(5 + uint64_t{f.tenant.size != 0} + (actor != 0) + !f.request_id.empty() +
          (f.origin.size != 0) + has_target(f) + detail + image + (f.xid != 0) + (f.ordinal != 0));
    w.unsigned_int(kType);
    w.text(kEntryType);
    w.unsigned_int(kEpoch);
    w.unsigned_int(f.epoch);
    if (f.tenant.size) {
        w.unsigned_int(kTenant);
        w.bytes(f.tenant);
    }
    w.unsigned_int(kEvent);
    w.text(f.event);
    w.unsigned_int(kTime);
    w.signed_int(f.unix_micros);
    w.unsigned_int(kOutcome);
    w.unsigned_int(static_cast<uint8_t>(f.outcome));
    if (actor) {
        w.unsigned_int(kActor);
        write_actor(&w, f, actor);
    }
    if (!f.request_id.empty()) {
        w.unsigned_int(kRequest);
        w.text(f.request_id);
    }
    if (f.origin.size) {
        w.unsigned_int(kOrigin);
        w.bytes(f.origin);
    }
    if (has_target(f)) {
        w.unsigned_int(kTarget);
        w.array(2);
        w.text(f.target_kind);
        w.text(f.target_id);
    }
    if (detail) {
        w.unsigned_int(kDetail);
        w.raw(f.detail);
    }
    if (image) {
        w.unsigned_int(kImage);
        w.raw(f.image);
    }
    if (f.xid) {
        w.unsigned_int(kXid);
        w.unsigned_int(f.xid);
    }
    if (f.ordinal) {
        w.unsigned_int(kOrdinal);
        w.unsigned_int(f.ordinal);
    }
    return w.needed;
}

EntryFields decode_entry(ByteView body) {
    Reader r(body);
    EntryFields f;
    constexpr uint64_t kAlways =
        1u << kType | 1u << kEpoch | 1u << kEvent | 1u << kTime | 1u << kOutcome;
    uint64_t next = 0, seen = 0;
    for (uint64_t pairs = r.expect(CborType::map).value; pairs > 0; --pairs) {
        const uint64_t key = r.unsigned_int();
        if (key < next || key > kOrdinal) malformed();
        next = key + 1;
        seen |= uint64_t{1} << key;
        switch (key) {
            case kType:
                if (r.text() != kEntryType) malformed();
                break;
            case kEpoch:
                f.epoch = r.unsigned_int();
                break;
            case kTenant:
                f.tenant = r.uuid();
                break;
            case kEvent:
                f.event = r.some_text();
                break;
            case kTime:
                f.unix_micros = r.signed_int();
                break;
            case kOutcome: {
                const uint64_t v = r.unsigned_int();
                if (v > static_cast<uint64_t>(Outcome::denied)) malformed();
                f.outcome = static_cast<Outcome>(v);
                break;
            }
            case kActor:
                read_actor(&r, &f);
                break;
            case kRequest:
                f.request_id = r.some_text();
                break;
            case kOrigin:
                f.origin = r.some_bytes();
                break;
            case kTarget:
                read_target(&r, &f);
                break;
            case kDetail:
                f.detail = read_named(&r, false);
                break;
            case kImage:
                f.image = read_image(&r);
                break;
            case kXid:
                f.xid = r.positive();
                break;
            case kOrdinal: {
                const uint64_t v = r.positive();
                if (v > UINT32_MAX) malformed();
                f.ordinal = static_cast<uint32_t>(v);
                break;
            }
        }
    }
    if ((seen & kAlways) != kAlways || !r.done()) malformed();
    return f;
}

size_t encode_origin(const OriginFields &f, ByteSpan out) noexcept {
    // What nobody claims cannot be a lie; an envelope for the rest alone would cost more than it
    // shows.
    if (f.ip.empty() && f.user_agent.empty()) return 0;
    const std::string_view parts[] = {f.ip, f.user_agent, f.connection, f.application};
    uint64_t pairs = 0;
    for (const std::string_view part : parts) pairs += !part.empty();
    CborWriter w{out};
    w.map(pairs);
    for (uint64_t key = kIp; key <= kApplication; ++key) {
        if (parts[key].empty()) continue;
        w.unsigned_int(key);
        w.text(parts[key]);
    }
    return w.needed;
}

OriginFields decode_origin(ByteView plaintext) {
    CborReader(plaintext).skip();
    CborReader r(plaintext);
    const CborItem map = r.next();
    if (map.type != CborType::map) malformed();
    OriginFields f;
    std::string_view *const parts[] = {&f.ip, &f.user_agent, &f.connection, &f.application};
    for (uint64_t i = 0; i < map.value; ++i) {
        const CborItem key = r.next();
        if (key.type != CborType::unsigned_int) malformed();
        if (key.value > kApplication) {
            r.skip();
            continue;
        }
        const CborItem value = r.next();
        if (value.type != CborType::text) malformed();
        *parts[key.value] = {reinterpret_cast<const char *>(value.body.data), value.body.size};
    }
    if (!r.done()) malformed();
    return f;
}

Digest leaf_hash(ByteView body) {
    return merkle_leaf(body);
}

}  // namespace aegis::core
