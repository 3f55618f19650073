// SPDX-License-Identifier: Apache-2.0
// A secret is needed before it is known whose request it is, so the system's own keys seal it.
#include "core/envelope.hpp"

#include "service.hpp"

#include "key.hpp"
#include "pg/function.hpp"
#include "sealed.hpp"

namespace aegis::service {

namespace {

const pg_uuid_t kSystem = {};

core::Binding binding_of(const core::ByteView *key_id) {
    core::Binding binding{};
    binding.tenant = pg::view_of(kSystem);
    binding.row_parts = key_id;
    binding.row_part_count = 1;
    return binding;
}

}  // namespace

struct varlena *seal_secret(const char *key_id, core::ByteView secret) {
    core::EnvelopeHeader header{};
    header.type = core::PlaintextType::bytea;
    header.flags = core::kFlagRowBound;
    header.epoch = key::kCurrentEpoch;
    const core::EnvelopeKey *cipher = key::service_cipher(&header.epoch);
    header.suite = cipher->suite();
    sealed::tenant_tag(kSystem, header.tenant_tag);
    core::ByteView id = pg::view_of(key_id);
    struct varlena *out = pg::alloc_varlena(core::envelope_size(header, secret.size));
    core::ByteSpan room = pg::payload(out);
    pg::raise(
        pg::run([&] { core::seal_envelope(*cipher, header, binding_of(&id), {}, secret, room); }));
    return out;
}

void open_secret(const char *key_id, core::ByteView sealed, core::ByteSpan out) {
    core::EnvelopeParts parts;
    pg::raise(pg::run([&] { parts = core::parse_envelope(sealed); }));
    uint32_t epoch = parts.header.epoch;
    const core::EnvelopeKey *cipher = key::service_cipher(&epoch);
    core::ByteView id = pg::view_of(key_id);
    pg::raise(pg::run([&] { core::open_envelope(*cipher, parts, binding_of(&id), out); }));
}

}  // namespace aegis::service
