// SPDX-License-Identifier: Apache-2.0
// A new password in place of an old one, whichever way its user came to it.
#include "password.hpp"

#include "field.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "user.hpp"

namespace aegis::password {

namespace {

constexpr int kSlotPatienceMs = 10000;

pg::Statement read_person = {
    "SELECT u.email, u.name FROM aegis.user u WHERE u.tenant_id OPERATOR(pg_catalog.=) $1 AND u.id "
    "OPERATOR(pg_catalog.=) $2",
    2,
    {UUIDOID, UUIDOID},
    nullptr};

pg::Statement write_hash = {
    "UPDATE aegis.user SET password_hash = $2, password_changed_at = $3, password_due = NULL, "
    "failed_count = 0, not_before = NULL, locked_until = NULL"
    " WHERE id OPERATOR(pg_catalog.=) $1",
    3,
    {UUIDOID, TEXTOID, TIMESTAMPTZOID},
    nullptr};

// A sealed column of the user in clear, as text. Nobody but the check of the new password sees it.
char *open_text(const pg_uuid_t &tenant, const char *name, int column) {
    bool is_null;
    core::ByteView envelope = pg::varlena_view(pg::column(0, column, &is_null));
    const field::Field *field = field::find(field::reference_of(name));
    if (field == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("field \"%s\" is not registered", name)));
    core::ByteSpan opened = field::open(tenant, *field, envelope, field::Bond());
    char *text = pnstrdup(reinterpret_cast<char *>(opened.data), opened.size);
    sealed::discard(opened);
    return text;
}

[[noreturn]] void refuse_old() {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("the new password is the old one"), errhint("Choose another one.")));
    pg_unreachable();
}

}  // namespace

void check_for(const pg_uuid_t &tenant, const pg_uuid_t &user, core::ByteView password) {
    Datum values[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&user)};
    if (pg::execute(read_person, values) != 1)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("user does not exist")));
    char *email = open_text(tenant, "user.email", 1), *name = open_text(tenant, "user.name", 2);
    check_new(password, email, name);
}

char *hash_new(const pg_uuid_t &tenant, const pg_uuid_t &user, core::ByteView password,
               const char *current_hash) {
    check_for(tenant, user, password);
    return hash_checked(password, current_hash);
}

char *hash_checked(core::ByteView password, const char *current_hash) {
    char *encoded = static_cast<char *>(palloc(kEncodedBytes));
    int slot;
    if (!take_slot(kSlotPatienceMs, &slot))
        ereport(ERROR, (errcode(ERRCODE_TOO_MANY_CONNECTIONS),
                        errmsg("too many passwords are being hashed"),
                        errhint("Try again, or raise aegis.password_concurrency.")));
    bool same = current_hash != nullptr && verify(current_hash, password);
    bool done = same || hash(password, encoded);
    give_back(slot);
    if (same) refuse_old();
    if (!done)
        ereport(ERROR,
                (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory for a password hash")));
    return encoded;
}

void store(const pg_uuid_t &tenant, const pg_uuid_t &user, const char *hash, const char *way) {
    Datum values[] = {UUIDPGetDatum(&user), CStringGetTextDatum(hash),
                      TimestampTzGetDatum(GetCurrentTimestamp())};
    pg::execute(write_hash, values);
    char id[37];
    uint8_t detail[64];
    user::format(user, id);
    const ledger::DetailPair pair = {"way", way, 0};
    ledger::Event entry = {"user.password_changed"};
    entry.tenant = &tenant;
    entry.user = &user;
    entry.target_kind = "user";
    entry.target_id = id;
    entry.detail = ledger::encode_detail(&pair, 1, detail);
    ledger::append(entry);
}

}  // namespace aegis::password
