// SPDX-License-Identifier: Apache-2.0
#include "core/envelope.hpp"

#include <set>

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

struct Case {
    uint8_t flags;
    Bytes tenant = Bytes(16, 0x11);
    Bytes subject;
    std::vector<Bytes> row;

    explicit Case(uint8_t f) : flags(f) {
        if (f & kFlagSubject) subject = from_hex("5b");
        if (f & kFlagRowBound) row = {from_hex("0000002a"), from_hex("")};
    }
};

class Bound {  // keeps the views of a case's row parts
 public:
    explicit Bound(const Case &c) {
        for (const Bytes &part : c.row) parts_.push_back(view(part));
        binding.tenant = view(c.tenant);
        binding.subject = view(c.subject);
        binding.row_parts = parts_.data();
        binding.row_part_count = static_cast<uint8_t>(parts_.size());
    }
    Binding binding;

 private:
    std::vector<ByteView> parts_;
};

EnvelopeHeader header_of(const Case &c, Suite suite) {
    EnvelopeHeader header{suite, PlaintextType::text, c.flags, {}, 7, 0x01020304};
    tenant_tag(view(c.tenant), header.tenant_tag);
    return header;
}

const Bytes kToken(16, 0x77);

ByteView token_of(uint8_t flags) {
    return flags & kFlagToken ? view(kToken) : ByteView();
}

Bytes seal(const EnvelopeKey &key, const Case &c, std::string_view plaintext) {
    const EnvelopeHeader header = header_of(c, key.suite());
    Bytes out(envelope_size(header, plaintext.size()));
    seal_envelope(key, header, Bound(c).binding, token_of(c.flags), as_bytes(plaintext), span(out));
    return out;
}

Bytes open(const EnvelopeKey &key, const Case &c, ByteView envelope) {
    const EnvelopeParts parts = parse_envelope(envelope);
    Bytes out(envelope_plaintext_size(parts));
    open_envelope(key, parts, Bound(c).binding, span(out));
    return out;
}

Bytes opened(std::string_view text) {
    return bytes_of(text);
}

// Everything holds for both suites; the second is the first with 32 bytes more.
class Envelope : public testing::TestWithParam<Suite> {};

INSTANTIATE_TEST_SUITE_P(Suites, Envelope,
                         testing::Values(Suite::xaes_256_gcm, Suite::xaes_256_gcm_committing));

}  // namespace

TEST_P(Envelope, RoundTripsEveryFlagAndSize) {
    const EnvelopeKey key(GetParam(), Key32(view(test_key())));
    for (uint8_t flags = 0; flags < 8; ++flags)
        for (size_t size : {0, 1, 31, 32, 8192}) {
            const Case c(flags);
            const std::string plaintext(size, 'p');
            const Bytes envelope = seal(key, c, plaintext);
            EXPECT_EQ(envelope.size(), 20 + (flags & kFlagToken ? 16 : 0) + 24 +
                                           commitment_bytes(GetParam()) + size + 16);
            EXPECT_EQ(open(key, c, view(envelope)), opened(plaintext));
            const EnvelopeParts parts = parse_envelope(view(envelope));
            EXPECT_EQ(parts.header.flags, flags);
            EXPECT_EQ(parts.header.epoch, 7u);
            EXPECT_EQ(parts.header.field, 0x01020304u);
            EXPECT_EQ(to_hex(parts.token), to_hex(token_of(flags)));
        }
}

TEST_P(Envelope, EqualValuesLookDifferent) {
    const EnvelopeKey key(GetParam(), Key32(view(test_key())));
    std::set<Bytes> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(seal(key, Case(0), "same"));
    EXPECT_EQ(seen.size(), 1000u);
}

// Only the token may be changed unseen: it is not covered and is recomputed on opening.
TEST_P(Envelope, EveryBitFlipIsRefused) {
    const EnvelopeKey key(GetParam(), Key32(view(test_key())));
    for (uint8_t flags = 0; flags < 8; ++flags) {
        const Case c(flags);
        Bytes envelope = seal(key, c, "a secret");
        for (size_t bit = 0; bit < envelope.size() * 8; ++bit) {
            const size_t at = bit / 8;
            envelope[at] ^= static_cast<uint8_t>(1 << bit % 8);
            const bool in_token = (flags & kFlagToken) && at >= 20 && at < 36;
            EXPECT_EQ(refused([&] { open(key, c, view(envelope)); }), !in_token)
                << "flags " << int{flags} << " bit " << bit;
            envelope[at] ^= static_cast<uint8_t>(1 << bit % 8);
        }
    }
}

TEST_P(Envelope, EveryTruncationAndExtensionIsRefused) {
    const EnvelopeKey key(GetParam(), Key32(view(test_key())));
    for (uint8_t flags = 0; flags < 8; ++flags) {
        const Case c(flags);
        Bytes envelope = seal(key, c, "a secret");
        for (size_t size = 0; size < envelope.size(); ++size)
            EXPECT_TRUE(refused([&] { open(key, c, {envelope.data(), size}); }));
        envelope.push_back(0);
        EXPECT_TRUE(refused([&] { open(key, c, view(envelope)); }));
    }
}

TEST_P(Envelope, OpensOnlyWhereItIsBound) {
    const EnvelopeKey key(GetParam(), Key32(view(test_key()))),
        other(GetParam(), Key32(view(Bytes(32, 9))));
    const Case c(kFlagRowBound | kFlagSubject);
    const Bytes envelope = seal(key, c, "a secret");
    const auto cannot_open = [&](const EnvelopeKey &k, const Case &where) {
        expect_error(Code::cannot_open, [&] { open(k, where, view(envelope)); });
    };
    cannot_open(other, c);
    Case changed = c;
    changed.tenant[15] ^= 1;
    cannot_open(key, changed);
    changed = c;
    changed.tenant.pop_back();
    cannot_open(key, changed);
    changed = c;
    changed.subject = from_hex("5c");
    cannot_open(key, changed);
    changed = c;
    changed.subject.clear();
    cannot_open(key, changed);
    changed = c;
    changed.row = {from_hex("0000002b"), from_hex("")};
    cannot_open(key, changed);
    changed.row = {from_hex("0000002a")};
    cannot_open(key, changed);
    changed.row = {from_hex(""), from_hex("0000002a")};
    cannot_open(key, changed);
    changed.row = {from_hex("000000"), from_hex("2a")};  // the same bytes, cut elsewhere
    cannot_open(key, changed);
    changed.row.clear();
    cannot_open(key, changed);
    EXPECT_EQ(open(key, c, view(envelope)), opened("a secret"));
}

TEST_P(Envelope, AFailedOpeningLeavesNoPlaintext) {
    const EnvelopeKey key(GetParam(), Key32(view(test_key())));
    const Case c(0);
    Bytes envelope = seal(key, c, "a secret");
    const EnvelopeParts parts = parse_envelope(view(envelope));
    Bytes out(8, 0x77);
    Case other = c;
    other.tenant[0] ^= 1;
    expect_error(Code::cannot_open,
                 [&] { open_envelope(key, parts, Bound(other).binding, span(out)); });
    EXPECT_EQ(out, Bytes(8, 0));
    Bytes small(7);
    expect_error(Code::invalid_argument,
                 [&] { open_envelope(key, parts, Bound(c).binding, span(small)); });
}

TEST_P(Envelope, MalformedFormsAreToldFromUnopenableOnes) {
    const EnvelopeKey key(GetParam(), Key32(view(test_key())));
    const Bytes good = seal(key, Case(0), "x");
    const auto malformed = [&](size_t at, uint8_t value) {
        Bytes bad = good;
        bad[at] = value;
        expect_error(Code::malformed, [&] { parse_envelope(view(bad)); });
    };
    malformed(0, 0xa2);
    for (int suite : {0, 3, 4, 255}) malformed(1, static_cast<uint8_t>(suite));
    for (int type : {0, 7, 255}) malformed(2, static_cast<uint8_t>(type));
    for (int flags : {8, 9, 16, 32, 64, 128}) malformed(3, static_cast<uint8_t>(flags));
    malformed(15, 0);  // epoch 0
    expect_error(Code::malformed, [] { parse_envelope({}); });
    Bytes token_missing(20 + 24 + 16);
    memcpy(token_missing.data(), good.data(), 20);
    token_missing[3] = kFlagToken;
    expect_error(Code::malformed, [&] { parse_envelope(view(token_missing)); });
}

TEST_P(Envelope, SealsNothingContradictory) {
    const EnvelopeKey key(GetParam(), Key32(view(test_key())));
    Bytes out(200);
    const auto cannot_seal = [&](const EnvelopeHeader &header, const Binding &binding,
                                 ByteView token, size_t room) {
        expect_error(Code::invalid_argument, [&] {
            seal_envelope(key, header, binding, token, as_bytes("x"), {out.data(), room});
        });
    };
    const Case plain(0), row(kFlagRowBound), subject(kFlagSubject), token(kFlagToken);
    const size_t size = envelope_size(header_of(plain, GetParam()), 1);
    cannot_seal(header_of(plain, GetParam()), Bound(row).binding, {}, size);
    cannot_seal(header_of(plain, GetParam()), Bound(subject).binding, {}, size);
    cannot_seal(header_of(row, GetParam()), Bound(plain).binding, {}, size);
    cannot_seal(header_of(subject, GetParam()), Bound(plain).binding, {}, size);
    cannot_seal(header_of(plain, GetParam()), Bound(plain).binding, view(kToken), size + 16);
    cannot_seal(header_of(token, GetParam()), Bound(token).binding, {}, size);
    cannot_seal(header_of(token, GetParam()), Bound(token).binding, {kToken.data(), 15}, size + 16);
    cannot_seal(header_of(plain, GetParam()), Bound(plain).binding, {}, size - 1);
    cannot_seal(header_of(plain, GetParam()), Bound(plain).binding, {}, size + 1);
    EnvelopeHeader header = header_of(plain, GetParam());
    header.epoch = 0;
    cannot_seal(header, Bound(plain).binding, {}, size);
    header = header_of(plain, GetParam());
    header.suite = Suite::unsealed;
    cannot_seal(header, Bound(plain).binding, {}, size);
    header = header_of(plain, GetParam());
    header.type = static_cast<PlaintextType>(9);
    cannot_seal(header, Bound(plain).binding, {}, size);
    for (int flags : {8, 2 | 8, 0x10}) {
        header = header_of(plain, GetParam());
        header.flags = static_cast<uint8_t>(flags);
        cannot_seal(header, Bound(plain).binding, {}, size);
    }
    Case long_row(kFlagRowBound);
    long_row.row = {Bytes(65536)};
    cannot_seal(header_of(long_row, GetParam()), Bound(long_row).binding, {}, size);
    expect_error(Code::too_long, [&] {
        seal_envelope(key, header_of(plain, GetParam()), Bound(plain).binding, {},
                      {out.data(), kMaxEnvelopePlaintextBytes + 1}, span(out));
    });
}

TEST_P(Envelope, LongAndManyRowPartsWork) {
    const EnvelopeKey key(GetParam(), Key32(view(test_key())));
    Case c(kFlagRowBound);
    c.row.assign(255, Bytes(300, 1));
    c.row.back() = Bytes(65535, 2);
    const Bytes envelope = seal(key, c, "x");
    EXPECT_EQ(open(key, c, view(envelope)), opened("x"));
    c.row.back().back() ^= 1;
    expect_error(Code::cannot_open, [&] { open(key, c, view(envelope)); });
}

TEST_P(Envelope, StrippingRemovesTheTokenAndNothingElse) {
    const EnvelopeKey key(GetParam(), Key32(view(test_key())));
    for (uint8_t flags = 0; flags < 8; ++flags) {
        const Case c(flags);
        const Bytes envelope = seal(key, c, "a secret");
        Bytes stripped(envelope.size());
        stripped.resize(strip_token(view(envelope), span(stripped)));
        EXPECT_EQ(open(key, c, view(stripped)), opened("a secret"));
        EXPECT_EQ(parse_envelope(view(stripped)).token.size, 0u);
        Bytes again(stripped.size());
        EXPECT_EQ(strip_token(view(stripped), span(again)), stripped.size());
        EXPECT_EQ(again, stripped);
        if (flags & kFlagToken) {
            EXPECT_EQ(stripped.size() + 16, envelope.size());
            EXPECT_EQ(to_hex(view(stripped)).find(to_hex(view(kToken))), std::string::npos);
            EXPECT_EQ(stripped[3], flags | kFlagTokenRemoved);
        } else {
            EXPECT_EQ(stripped, envelope);
        }
        for (size_t bit = 0; bit < stripped.size() * 8; ++bit) {
            stripped[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
            EXPECT_TRUE(refused([&] { open(key, c, view(stripped)); })) << bit;
            stripped[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        }
        Bytes small(stripped.size() - 1);
        expect_error(Code::invalid_argument, [&] { strip_token(view(stripped), span(small)); });
    }
    expect_error(Code::malformed, [&] { strip_token(as_bytes("no"), {}); });
}

// A key opens one suite only, and a committed value no other key's, whatever the rest says.
TEST(CommittingSuite, CommitsToTheKeyBeforeAnythingIsDecrypted) {
    const Key32 field(view(test_key())), another(view(Bytes(32, 9)));
    const EnvelopeKey committing(Suite::xaes_256_gcm_committing, field),
        other(Suite::xaes_256_gcm_committing, another), plain(Suite::xaes_256_gcm, field);
    EXPECT_EQ(committing.commitment().size, 32u);
    EXPECT_EQ(plain.commitment().size, 0u);
    EXPECT_NE(to_hex(committing.commitment()), to_hex(other.commitment()));
    const Case c(kFlagToken);
    const Bytes first = seal(plain, c, "a secret"), second = seal(committing, c, "a secret");
    EXPECT_EQ(second.size(), first.size() + 32);
    const Bytes again = seal(committing, Case(kFlagToken), "another");
    EXPECT_EQ(Bytes(second.begin() + 60, second.begin() + 92),
              Bytes(again.begin() + 60, again.begin() + 92));
    EXPECT_EQ(to_hex({second.data() + 60, 32}), to_hex(committing.commitment()));
    expect_error(Code::cannot_open, [&] { open(plain, c, view(second)); });
    expect_error(Code::cannot_open, [&] { open(committing, c, view(first)); });

    // A suite cannot be written over: without the 32 bytes it is short, with them its tag is wrong.
    Bytes downgraded = second;
    downgraded[1] = 1;
    expect_error(Code::cannot_open, [&] { open(plain, c, view(downgraded)); });
    expect_error(Code::cannot_open, [&] { open(committing, c, view(downgraded)); });
    downgraded.erase(downgraded.begin() + 60, downgraded.begin() + 92);
    expect_error(Code::cannot_open, [&] { open(plain, c, view(downgraded)); });

    // The commitment of another key opens neither under that key nor under this.
    Bytes swapped = second;
    memcpy(swapped.data() + 60, other.commitment().data, 32);
    expect_error(Code::cannot_open, [&] { open(committing, c, view(swapped)); });
    expect_error(Code::cannot_open, [&] { open(other, c, view(swapped)); });
}

TEST(CommittingSuite, IsChosenByTheKeyAlone) {
    const Key32 key(view(test_key()));
    expect_error(Code::invalid_argument, [&] { EnvelopeKey made(Suite::unsealed, key); });
    expect_error(Code::invalid_argument, [&] { EnvelopeKey made(static_cast<Suite>(3), key); });
    const EnvelopeKey committing(Suite::xaes_256_gcm_committing, key);
    Bytes out(200);
    const Case c(0);
    const EnvelopeHeader header = header_of(c, Suite::xaes_256_gcm);
    expect_error(Code::invalid_argument, [&] {
        seal_envelope(committing, header, Bound(c).binding, {}, as_bytes("x"),
                      {out.data(), envelope_size(header, 1)});
    });
}

TEST(TenantTag, IsAHashPrefix) {
    uint8_t tag[kTenantTagBytes], other[kTenantTagBytes];
    const Bytes tenant(16, 0), neighbour(16, 1);
    tenant_tag(view(tenant), tag);
    tenant_tag(view(neighbour), other);
    EXPECT_NE(to_hex(tag), to_hex(other));
    expect_error(Code::invalid_argument, [&] { tenant_tag({tenant.data(), 15}, tag); });
}

TEST(SearchToken, DependsOnKeyAndValue) {
    const HmacKey key(view(test_key())), other(view(Bytes(32, 1)));
    uint8_t a[kTokenBytes], b[kTokenBytes], c[kTokenBytes], d[kTokenBytes];
    search_token(key, as_bytes("bob@example.com"), a);
    search_token(key, as_bytes("bob@example.com"), b);
    search_token(key, as_bytes("bob@example.con"), c);
    search_token(other, as_bytes("bob@example.com"), d);
    EXPECT_EQ(to_hex(a), to_hex(b));
    EXPECT_NE(to_hex(a), to_hex(c));
    EXPECT_NE(to_hex(a), to_hex(d));
}

TEST(Unsealed, LivesOnlyInItsOwnServerRun) {
    const Xaes boot(Key32(view(test_key()))), later(Key32(view(Bytes(32, 2))));
    const Bytes id(8, 1), other_id(8, 2);
    for (size_t size : {0, 1, 100}) {
        const std::string plaintext(size, 'p');
        Bytes value(unsealed_size(size));
        make_unsealed(boot, view(id), PlaintextType::text, as_bytes(plaintext), span(value));
        EXPECT_TRUE(is_unsealed(view(value)));
        EXPECT_EQ(unsealed_plaintext_size(view(value)), size);
        Bytes out(size);
        open_unsealed(boot, view(id), view(value), span(out));
        EXPECT_EQ(out, opened(plaintext));
        expect_error(Code::cannot_open,
                     [&] { open_unsealed(later, view(id), view(value), span(out)); });
        expect_error(Code::cannot_open,
                     [&] { open_unsealed(boot, view(other_id), view(value), span(out)); });
        EXPECT_EQ(out, Bytes(size, 0));
        expect_error(Code::malformed, [&] { parse_envelope(view(value)); });
        for (size_t bit = 0; bit < value.size() * 8; ++bit) {
            value[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
            EXPECT_TRUE(refused([&] { open_unsealed(boot, view(id), view(value), span(out)); }));
            value[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        }
    }
    EXPECT_FALSE(is_unsealed({}));
    const EnvelopeKey key(Suite::xaes_256_gcm, Key32(view(test_key())));
    EXPECT_FALSE(is_unsealed(view(seal(key, Case(0), "x"))));
    Bytes value(unsealed_size(0));
    expect_error(Code::invalid_argument, [&] {
        make_unsealed(boot, {id.data(), 7}, PlaintextType::text, {}, span(value));
    });
    expect_error(Code::invalid_argument, [&] {
        make_unsealed(boot, view(id), static_cast<PlaintextType>(0), {}, span(value));
    });
}
