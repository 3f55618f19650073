// SPDX-License-Identifier: Apache-2.0
// The registry in memory, and sealing and opening by it. Entries are updated in place when the
// tables change, so a pointer to one never dangles.
#include "core/digest.hpp"
#include "field.hpp"
#include "field_twin.hpp"

#include "context.hpp"
#include "key.hpp"
#include "key_subject.hpp"
#include "own_table.hpp"
#include "pg/function.hpp"
#include "pg/invalidation.hpp"
#include "withheld.hpp"

namespace aegis::field {

namespace {

// Columns of aegis.field, aegis.reveal_policy and aegis.reveal_bound.
enum FieldColumn { kReference = 1, kName = 2, kRelation = 3, kType = 5, kMask = 6 };
enum PolicyColumn { kPolicyField = 1, kPolicyRank = 2, kPolicyLevel = 3, kPolicyByExtension = 4 };
enum BoundColumn { kBoundField = 1, kBoundRole = 2, kBoundLevel = 3 };

struct Known {
    Field field;
    bool live;
    Level levels[kRanks];
    bool overridden[kRanks];
    Level bound;  // what the roles of the session user leave of them
};

struct Registry {
    MemoryContext memory;
    bool valid;
    Oid field_table, policy_table, bound_table;
    Oid session_user;  // whose bounds are in memory
    int count, room;
    Known **known;  // ascending references
} registry;

void table_changed(Datum, Oid relid) {
    if (relid == InvalidOid || relid == registry.field_table || relid == registry.policy_table ||
        relid == registry.bound_table)
        registry.valid = false;
}

void roles_changed(Datum, int, uint32) {
    registry.valid = false;
}

bool is(Datum value, const char *literal) {
    core::ByteView view = pg::varlena_view(value);
    return view.size == strlen(literal) && memcmp(view.data, literal, view.size) == 0;
}

// What nobody knows is hidden.
core::Mask mask_of(Datum value) {
    core::ByteView word = pg::varlena_view(value);
    core::Mask mask = core::Mask::full;
    core::find_mask({reinterpret_cast<const char *>(word.data), word.size}, &mask);
    return mask;
}

// A type that was dropped leaves images in the ledger, which are plain text to open.
const sealed::Type *type_of(Datum oid) {
    static const sealed::Type dropped = {sealed::find_kind(nullptr), "", 0};
    const sealed::Type *type = sealed::find_type(DatumGetObjectId(oid));
    return type != nullptr ? type : &dropped;
}

Level level_of(Datum value) {
    return is(value, "full") ? Level::full : is(value, "masked") ? Level::masked : Level::none;
}

// Index of the first entry whose reference is not smaller.
int lower_bound(uint32_t reference) {
    int low = 0, high = registry.count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (registry.known[middle]->field.reference < reference)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

Known *lookup(uint32_t reference) {
    int at = lower_bound(reference);
    return at < registry.count && registry.known[at]->field.reference == reference
               ? registry.known[at]
               : nullptr;
}

Known *lookup_or_add(uint32_t reference) {
    if (Known *known = lookup(reference)) return known;
    MemoryContext caller = MemoryContextSwitchTo(registry.memory);
    if (registry.count == registry.room) {
        int room = registry.room ? registry.room * 2 : 64;
        Known **grown = static_cast<Known **>(palloc(sizeof(Known *) * room));
        if (registry.count > 0) memcpy(grown, registry.known, sizeof(Known *) * registry.count);
        registry.known = grown;
        registry.room = room;
    }
    Known *known = static_cast<Known *>(palloc0(sizeof(Known)));
    known->field.reference = reference;
    known->bound = Level::full;
    int at = lower_bound(reference);
    memmove(registry.known + at + 1, registry.known + at, sizeof(Known *) * (registry.count - at));
    registry.known[at] = known;
    registry.count++;
    MemoryContextSwitchTo(caller);
    return known;
}

void load_fields() {
    own_table::Scan scan = own_table::begin("field", nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = own_table::next(scan))) {
        bool is_null = false;
        Datum reference = own_table::column(scan, tuple, kReference, &is_null);
        Known *known = lookup_or_add(static_cast<uint32_t>(DatumGetInt64(reference)));
        core::ByteView name = pg::varlena_view(own_table::column(scan, tuple, kName, &is_null));
        size_t length = Min(name.size, sizeof known->field.name - 1);
        memcpy(known->field.name, name.data, length);
        known->field.name[length] = '\0';
        known->field.type = type_of(own_table::column(scan, tuple, kType, &is_null));
        known->field.mask = mask_of(own_table::column(scan, tuple, kMask, &is_null));
        Datum relation = own_table::column(scan, tuple, kRelation, &is_null);
        known->field.withheld = withheld::holds(DatumGetObjectId(relation));
        known->live = true;
    }
    own_table::end(scan);
}

// A row that an operator set holds over the one that came with an extension.
void load_policies() {
    own_table::Scan scan = own_table::begin("reveal_policy", nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = own_table::next(scan))) {
        bool is_null = false;
        Known *known = lookup(static_cast<uint32_t>(
            DatumGetInt64(own_table::column(scan, tuple, kPolicyField, &is_null))));
        int rank = DatumGetInt16(own_table::column(scan, tuple, kPolicyRank, &is_null));
        bool by_extension =
            DatumGetBool(own_table::column(scan, tuple, kPolicyByExtension, &is_null));
        if (known == nullptr || rank < 0 || rank >= kRanks ||
            (by_extension && known->overridden[rank]))
            continue;
        known->levels[rank] = level_of(own_table::column(scan, tuple, kPolicyLevel, &is_null));
        known->overridden[rank] = !by_extension;
    }
    own_table::end(scan);
}

// The lowest of all roles that the session user is, or is a member of by whatever way. The session
// user alone counts: SET ROLE and functions with the rights of others change the current one.
void load_bounds() {
    own_table::Scan scan = own_table::begin("reveal_bound", nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = own_table::next(scan))) {
        bool is_null = false;
        Known *known = lookup(static_cast<uint32_t>(
            DatumGetInt64(own_table::column(scan, tuple, kBoundField, &is_null))));
        Oid role = DatumGetObjectId(own_table::column(scan, tuple, kBoundRole, &is_null));
        if (known == nullptr || !is_member_of_role_nosuper(registry.session_user, role)) continue;
        Level level = level_of(own_table::column(scan, tuple, kBoundLevel, &is_null));
        known->bound = Min(known->bound, level);
    }
    own_table::end(scan);
}

void load() {
    if (registry.memory == nullptr)
        registry.memory =
            AllocSetContextCreate(CacheMemoryContext, "aegis fields", ALLOCSET_SMALL_SIZES);
    registry.field_table = own_table::find("field");
    registry.policy_table = own_table::find("reveal_policy");
    registry.bound_table = own_table::find("reveal_bound");
    registry.session_user = GetSessionUserId();
    for (int i = 0; i < registry.count; i++) {
        registry.known[i]->live = false;
        registry.known[i]->bound = Level::full;
        memset(registry.known[i]->levels, 0, sizeof registry.known[i]->levels);
        memset(registry.known[i]->overridden, 0, sizeof registry.known[i]->overridden);
    }
    // Set first: a change that arrives while reading clears it again.
    registry.valid = true;
    PG_TRY();
    {
        load_fields();
        load_policies();
        load_bounds();
    }
    PG_CATCH();
    {
        registry.valid = false;
        PG_RE_THROW();
    }
    PG_END_TRY();
}

const Known *find_known(uint32_t reference) {
    // A scan asks for one field over and over; what is known once is never freed.
    static const Known *last = nullptr;
    if (!registry.valid || registry.session_user != GetSessionUserId()) load();
    const Known *known =
        last != nullptr && last->field.reference == reference ? last : lookup(reference);
    if (known == nullptr || !known->live) return nullptr;
    return last = known;
}

}  // namespace

const Field *find(uint32_t reference) {
    const Known *known = find_known(reference);
    return known != nullptr ? &known->field : nullptr;
}

Level level(const Field &field) {
    const context::Context *context = context::current();
    const Known *known = find_known(field.reference);
    if (context == nullptr || known == nullptr) return Level::none;
    // Whoever has a link to one thing sees of it what the least of the tenant's users see.
    bool is_link = context->way == context::Way::link;
    int rank = context->rank;
    if (context->way == context::Way::break_glass) rank = kOperatorRank;
    if (is_link) rank = context::kRankUser;
    bool is_user = is_link || context->way == context::Way::session_token ||
                   context->way == context::Way::sign_in;
    if (rank != kOperatorRank && (!is_user || rank < 1 || rank >= kRanks)) return Level::none;
    return Min(known->levels[rank], known->bound);
}

Level operator_level(const Field &field) {
    const Known *known = find_known(field.reference);
    return known == nullptr ? Level::none : Min(known->levels[kOperatorRank], known->bound);
}

void cannot_open() {
    pg::raise(pg::report_of(core::Error{core::Code::cannot_open, ""}));
    pg_unreachable();
}

const core::EnvelopeKey *cipher_for(const pg_uuid_t &tenant, uint32_t reference, const Bond &bond,
                                    uint32_t *epoch, bool make) {
    return bond.subject.size != 0
               ? key::subject_cipher(tenant, bond.subject, reference, epoch, make)
               : key::field_cipher(tenant, reference, epoch);
}

core::Binding binding_of(const pg_uuid_t &tenant, const Bond &bond) {
    core::Binding binding{};
    binding.tenant = pg::view_of(tenant);
    binding.subject = bond.subject;
    binding.row_parts = bond.parts;
    binding.row_part_count = bond.count;
    return binding;
}

struct varlena *seal(const pg_uuid_t &tenant, const Field &field, core::ByteView plaintext,
                     const Bond &bond) {
    core::EnvelopeHeader header{};
    header.type = field.type->kind->plaintext;
    header.flags = flags_of(bond);
    header.field = field.reference;
    sealed::tenant_tag(tenant, header.tenant_tag);

    uint8_t token[core::kTokenBytes];
    core::ByteView token_view;
    if (field.type->kind->searchable()) {
        if (plaintext.size > sealed::kMaxSearchableBytes)
            ereport(
                ERROR,
                (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                 errmsg("value of field \"%s\" is too long to be searchable", field.name),
                 errdetail("At most %zu bytes fit into an index.", sealed::kMaxSearchableBytes)));
        pg::raise(sealed::make_token(tenant, *field.type, plaintext, token));
        header.flags |= core::kFlagToken;
        token_view = token;
    }
    header.epoch = key::kCurrentEpoch;
    const core::EnvelopeKey *cipher =
        cipher_for(tenant, field.reference, bond, &header.epoch, true);
    header.suite = cipher->suite();
    struct varlena *result = pg::alloc_varlena(core::envelope_size(header, plaintext.size));
    core::Binding binding = binding_of(tenant, bond);
    pg::raise(pg::run([&] {
        core::seal_envelope(*cipher, header, binding, token_view, plaintext, pg::payload(result));
    }));
    return result;
}

void open(const pg_uuid_t &tenant, const Field &field, const core::EnvelopeParts &envelope,
          core::ByteSpan plaintext, const Bond &bond) {
    uint8_t tag[core::kTenantTagBytes];
    sealed::tenant_tag(tenant, tag);
    if (memcmp(envelope.header.tenant_tag, tag, sizeof tag) != 0 ||
        envelope.header.field != field.reference ||
        envelope.header.type != field.type->kind->plaintext ||
        (envelope.header.flags & kBondFlags) != flags_of(bond))
        cannot_open();
    uint32_t epoch = envelope.header.epoch;
    const core::EnvelopeKey *cipher = cipher_for(tenant, field.reference, bond, &epoch, false);
    core::Binding binding = binding_of(tenant, bond);
    pg::raise(pg::run([&] { core::open_envelope(*cipher, envelope, binding, plaintext); }));
    // The token is not authenticated: a value that others would find under a wrong name is refused.
    // The images in the ledger have none.
    if (field.type->kind->searchable() && envelope.token.size == core::kTokenBytes) {
        uint8_t token[core::kTokenBytes];
        sealed::token_of_plaintext(tenant, *field.type, plaintext, token);
        if (!core::equal_constant_time(token, envelope.token)) {
            core::wipe(plaintext);
            cannot_open();
        }
    }
}

core::ByteSpan open(const pg_uuid_t &tenant, const Field &field, core::ByteView envelope,
                    const Bond &bond) {
    core::EnvelopeParts parts{};
    if (pg::run([&] { parts = core::parse_envelope(envelope); }).failed) cannot_open();
    size_t size = core::envelope_plaintext_size(parts);
    core::ByteSpan plaintext{static_cast<uint8_t *>(palloc(size + 1)), size};
    open(tenant, field, parts, plaintext, bond);
    return plaintext;
}

uint32_t reference_of(const char *name) {
    uint32_t reference = 0;
    pg::raise(pg::run([&] {
        core::Digest digest = core::sha256(core::as_bytes("aegis/field/1"), core::as_bytes(name));
        reference = core::get_u32(digest.bytes);
    }));
    return reference;
}

void define() {
    pg::on_relation_change(table_changed);
    pg::on_catalog_change(AUTHOID, roles_changed);
    pg::on_catalog_change(AUTHMEMROLEMEM, roles_changed);
    define_bond();
    define_twin();
}

}  // namespace aegis::field

// Statement trigger on the registry's tables: every backend reads them again.
AEGIS_FUNCTION(aegis_registry_changed) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("function is a trigger")));
    CacheInvalidateRelcache(reinterpret_cast<TriggerData *>(fcinfo->context)->tg_relation);
    PG_RETURN_POINTER(nullptr);
}
