// SPDX-License-Identifier: Apache-2.0
#include "core/subject.hpp"

#include <set>

#include "bytes_of.hpp"
#include "core/digest.hpp"
#include "core/xaes.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

Bytes encoded(SubjectKind kind, const Bytes &value) {
    Bytes out(kMaxSubjectBytes);
    out.resize(encode_subject(kind, view(value), span(out)));
    return out;
}

}  // namespace

TEST(Subject, KindsDoNotMeet) {
    const Bytes eight(8, '1'), sixteen(16, '1');
    EXPECT_NE(encoded(SubjectKind::integer, eight), encoded(SubjectKind::text, eight));
    EXPECT_NE(encoded(SubjectKind::uuid, sixteen), encoded(SubjectKind::text, sixteen));
}

TEST(Subject, WrongSizesAreRefused) {
    for (size_t size : {0, 15, 17})
        expect_error(Code::invalid_argument, [&] { encoded(SubjectKind::uuid, Bytes(size)); });
    for (size_t size : {0, 4, 9})
        expect_error(Code::invalid_argument, [&] { encoded(SubjectKind::integer, Bytes(size)); });
    for (size_t size : {size_t{0}, kMaxSubjectTextBytes + 1})
        expect_error(Code::invalid_argument, [&] { encoded(SubjectKind::text, Bytes(size)); });
    expect_error(Code::invalid_argument, [&] { encoded(static_cast<SubjectKind>(4), Bytes(16)); });
    EXPECT_EQ(encoded(SubjectKind::text, Bytes(kMaxSubjectTextBytes, 'a')).size(),
              kMaxSubjectBytes);
    uint8_t small[16];
    expect_error(Code::invalid_argument,
                 [&] { encode_subject(SubjectKind::uuid, view(Bytes(16)), small); });
}

TEST(Subject, WrappedKeyOpensOnlyWhereItBelongs) {
    const Bytes key = test_key(), name(kSubjectNameBytes, 1), other(kSubjectNameBytes, 2),
                root(kKeyBytes, 3);
    const Xaes kek{Key32(view(key))}, neighbour{Key32(view(root))};
    uint8_t wrapped[kWrappedRootBytes], again[kWrappedRootBytes], out[kKeyBytes];
    wrap_subject(kek, view(name), 1, view(root), wrapped);
    wrap_subject(kek, view(name), 1, view(root), again);
    EXPECT_NE(to_hex(wrapped), to_hex(again));
    unwrap_subject(kek, view(name), 1, wrapped, out);
    EXPECT_EQ(to_hex(out), to_hex(view(root)));
    expect_error(Code::cannot_open, [&] { unwrap_subject(kek, view(other), 1, wrapped, out); });
    expect_error(Code::cannot_open, [&] { unwrap_subject(kek, view(name), 2, wrapped, out); });
    expect_error(Code::cannot_open,
                 [&] { unwrap_subject(neighbour, view(name), 1, wrapped, out); });
    expect_error(Code::cannot_open, [&] {
        unwrap_subject(kek, view(name), 1, {wrapped, sizeof wrapped - 1}, out);
    });
    for (uint8_t &byte : wrapped) {
        byte ^= 1;
        expect_error(Code::cannot_open, [&] { unwrap_subject(kek, view(name), 1, wrapped, out); });
        byte ^= 1;
    }
    expect_error(Code::invalid_argument,
                 [&] { wrap_subject(kek, view(Bytes(16)), 1, view(root), wrapped); });
    expect_error(Code::invalid_argument,
                 [&] { wrap_subject(kek, view(name), 1, view(Bytes(16)), wrapped); });
}

TEST(Subject, EveryPartMattersToTheFieldKey) {
    const Bytes root = test_key(), other(32, 7), tenant(16, 1), neighbour(16, 2);
    std::set<std::string> keys;
    const auto add = [&](const Bytes &tenant_root, const Bytes &subject_root, const Bytes &of,
                         uint32_t epoch, uint32_t field) {
        Key32 out;
        derive_subject_field_key(view(tenant_root), view(subject_root), view(of), epoch, field,
                                 out);
        keys.insert(to_hex(out.view()));
    };
    add(root, other, tenant, 1, 1);
    add(other, root, tenant, 1, 1);
    add(root, root, tenant, 1, 1);
    add(root, other, neighbour, 1, 1);
    add(root, other, tenant, 2, 1);
    add(root, other, tenant, 1, 2);
    Key32 plain;
    derive_key(Key32(view(root)), {}, {Purpose::encrypt, view(tenant), 1, 1}, plain);
    keys.insert(to_hex(plain.view()));
    EXPECT_EQ(keys.size(), 7u);
    Key32 out;
    expect_error(Code::invalid_argument, [&] {
        derive_subject_field_key(view(root), view(Bytes(16)), view(tenant), 1, 1, out);
    });
}
