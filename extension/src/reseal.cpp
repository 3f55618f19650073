// SPDX-License-Identifier: Apache-2.0
// One value at a time: which epoch it stands under, and the same plaintext under the current one.
#include "reseal.hpp"

#include "context.hpp"
#include "field.hpp"
#include "key.hpp"
#include "key_subject.hpp"
#include "pg/function.hpp"

namespace aegis::reseal {

namespace {

// Plaintexts up to this size need no memory of their own.
constexpr size_t kSmallBytes = 512;

Tally counted;
LocalTransactionId running = InvalidLocalTransactionId;

// A plaintext for the length of one call, and then nothing.
struct Plaintext {
    uint8_t small[kSmallBytes];
    core::ByteSpan bytes;

    void make_room(size_t size) {
        bytes = {size <= sizeof small ? small : static_cast<uint8_t *>(palloc(size)), size};
    }
    void discard() {
        core::wipe(bytes);
        if (bytes.data != small) pfree(bytes.data);
    }
};

bool belongs_to(const pg_uuid_t &tenant, const core::EnvelopeParts &parts) {
    uint8_t tag[core::kTenantTagBytes];
    sealed::tenant_tag(tenant, tag);
    return memcmp(parts.header.tenant_tag, tag, sizeof tag) == 0 &&
           field::find(parts.header.field) != nullptr;
}

// False when the value does not open; a key that is missing or destroyed is an error, as ever. The
// search token is carried along unread: what is wrong with it stays wrong, and reveal() says so.
bool open(const pg_uuid_t &tenant, const core::EnvelopeParts &parts, const field::Bond &bond,
          Plaintext *plaintext) {
    if ((parts.header.flags & field::kBondFlags) != field::flags_of(bond)) return false;
    if (bond.subject.size != 0 &&
        key::subject_state(tenant, bond.subject) != key::SubjectState::present)
        return false;
    uint32_t epoch = parts.header.epoch;
    const core::EnvelopeKey *cipher =
        field::cipher_for(tenant, parts.header.field, bond, &epoch, false);
    plaintext->make_room(core::envelope_plaintext_size(parts));
    core::Binding binding = field::binding_of(tenant, bond);
    if (!pg::run([&] { core::open_envelope(*cipher, parts, binding, plaintext->bytes); }).failed)
        return true;
    plaintext->discard();
    return false;
}

bool is_dead(const pg_uuid_t &tenant, const field::Bond &bond) {
    return bond.subject.size != 0 &&
           key::subject_state(tenant, bond.subject) == key::SubjectState::destroyed;
}

// The value under the current epoch; nullptr when it stays as it is.
struct varlena *seal_anew(const pg_uuid_t &tenant, FunctionCallInfo fcinfo) {
    core::ByteView value = pg::varlena_view(PG_GETARG_DATUM(0));
    core::EnvelopeParts parts{};
    Plaintext plaintext;
    field::Bond bond;
    if (pg::run([&] { parts = core::parse_envelope(value); }).failed ||
        !belongs_to(tenant, parts) || !field::read_bond(fcinfo, parts, &bond)) {
        counted.failed++;
        return nullptr;
    }
    core::EnvelopeHeader header = parts.header;
    header.epoch = key::kCurrentEpoch;
    key::field_cipher(tenant, header.field, &header.epoch);
    if (header.epoch == parts.header.epoch) return nullptr;
    if (is_dead(tenant, bond)) {
        counted.dead++;
        return nullptr;
    }
    if (!open(tenant, parts, bond, &plaintext)) {
        counted.failed++;
        return nullptr;
    }
    core::Binding binding = field::binding_of(tenant, bond);
    header.epoch = key::kCurrentEpoch;  // a cipher is good until the next one is asked for
    const core::EnvelopeKey *cipher =
        field::cipher_for(tenant, header.field, bond, &header.epoch, false);
    header.suite = cipher->suite();
    struct varlena *result = pg::alloc_varlena(core::envelope_size(header, plaintext.bytes.size));
    pg::Report report = pg::run([&] {
        core::seal_envelope(*cipher, header, binding, parts.token, plaintext.bytes,
                            pg::payload(result));
    });
    plaintext.discard();
    pg::raise(report);
    counted.sealed++;
    return result;
}

}  // namespace

const Tally &tally() {
    return counted;
}

void begin_running() {
    running = MyProc->lxid;
}

bool is_running() {
    return running != InvalidLocalTransactionId && running == MyProc->lxid;
}

bool is_same_value(const pg_uuid_t &tenant, core::ByteView before, core::ByteView after,
                   const field::Bond &bond) {
    core::EnvelopeParts old_parts{}, new_parts{};
    if (pg::run([&] {
            old_parts = core::parse_envelope(before);
            new_parts = core::parse_envelope(after);
        }).failed)
        return false;
    // A search token that went with the key of its data subject.
    uint8_t *stripped = static_cast<uint8_t *>(palloc(before.size));
    size_t left = 0;
    pg::raise(pg::run([&] { left = core::strip_token(before, {stripped, before.size}); }));
    bool only_stripped = left == after.size && memcmp(stripped, after.data, left) == 0;
    pfree(stripped);
    if (only_stripped) return true;
    const core::EnvelopeHeader &was = old_parts.header, &is = new_parts.header;
    if (was.type != is.type || was.flags != is.flags || was.field != is.field ||
        !belongs_to(tenant, old_parts) || !belongs_to(tenant, new_parts))
        return false;
    Plaintext old_plaintext, new_plaintext;
    if (!open(tenant, old_parts, bond, &old_plaintext)) return false;
    bool same = open(tenant, new_parts, bond, &new_plaintext);
    if (same) {
        same = core::equal_constant_time(old_plaintext.bytes, new_plaintext.bytes);
        new_plaintext.discard();
    }
    old_plaintext.discard();
    return same;
}

bool open_value(const pg_uuid_t &tenant, FunctionCallInfo fcinfo, const field::Field **field,
                core::ByteSpan *plaintext) {
    core::ByteView value = pg::varlena_view(PG_GETARG_DATUM(0));
    core::EnvelopeParts parts{};
    Plaintext opened;
    field::Bond bond;
    bool well_formed = !pg::run([&] { parts = core::parse_envelope(value); }).failed &&
                       belongs_to(tenant, parts) && field::read_bond(fcinfo, parts, &bond);
    if (well_formed && is_dead(tenant, bond)) {
        counted.dead++;
        return false;
    }
    if (!well_formed || parts.token.size != core::kTokenBytes ||
        !open(tenant, parts, bond, &opened)) {
        counted.failed++;
        return false;
    }
    *field = field::find(parts.header.field);
    *plaintext = {static_cast<uint8_t *>(palloc(opened.bytes.size + 1)), opened.bytes.size};
    memcpy(plaintext->data, opened.bytes.data, opened.bytes.size);
    opened.discard();
    return true;
}

}  // namespace aegis::reseal

using namespace aegis;

// The epoch that a value says it was sealed under; NULL before it is sealed. Reads the header only.
AEGIS_FUNCTION(aegis_key_epoch) {
    struct varlena *start = PG_GETARG_RAW_VARLENA_P(0);
    if (VARATT_IS_EXTERNAL(start) || VARATT_IS_COMPRESSED(start))
        start = pg_detoast_datum_slice(start, 0, core::kEnvelopeHeaderBytes);
    core::ByteView header{reinterpret_cast<const uint8_t *>(VARDATA_ANY(start)),
                          VARSIZE_ANY_EXHDR(start)};
    if (header.size < core::kEnvelopeHeaderBytes || header.data[0] != core::kEnvelopeMagic)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("sealed value is corrupt")));
    if (header.data[1] == static_cast<uint8_t>(core::Suite::unsealed)) PG_RETURN_NULL();
    PG_RETURN_INT32(static_cast<int32>(core::get_u32(header.data + 12)));
}

AEGIS_FUNCTION(aegis_reseal) {
    const context::Context *context = context::current();
    if (context == nullptr || context->way != context::Way::job)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("values are sealed again by a job only"),
                        errhint("aegis.rotate_tenant_key() creates one.")));
    if (PG_NARGS() > 1) sealed::type_of(fcinfo);
    struct varlena *result = reseal::seal_anew(context->tenant, fcinfo);
    if (result == nullptr) PG_RETURN_DATUM(PG_GETARG_DATUM(0));
    PG_RETURN_POINTER(result);
}
