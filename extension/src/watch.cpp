// SPDX-License-Identifier: Apache-2.0
// Says when to compare what is watched with what the ledger last saw; the comparison is SQL,
// extension/sql/watch.sql. A statement is never recorded as text: it may hold a password.
#include "core/digest.hpp"

#include "watch.hpp"

#include "guc.hpp"
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "pg/installed.hpp"
#include "pg/invalidation.hpp"
#include "pg/statement.hpp"
#include "role.hpp"
#include "worker.hpp"

namespace aegis::watch {

namespace {

// What aegis.watched calls its kinds, as bits.
enum Kind : uint32_t {
    kRole = 1,
    kMembership = 2,
    kRoleSetting = 4,
    kFileSetting = 8,
    kGrant = 16,
    kEventTrigger = 32
};
const char *const kind_names[] = {"role",         "membership", "role setting",
                                  "file setting", "grant",      "event trigger"};
constexpr uint32_t kAll = (1u << lengthof(kind_names)) - 1;

// What other databases change tells this one by an invalidation, except for settings of roles.
constexpr int64_t kSettingsMicros = 5 * 1000000;
constexpr int64_t kEverythingMicros = 60 * 1000000;

uint32_t expected = 0;      // kinds that a statement of this transaction may have changed
bool roles_changed = true;  // for the worker

uint32_t kinds_of(const Node *statement) {
    switch (nodeTag(statement)) {
        case T_CreateRoleStmt:
        case T_AlterRoleStmt:
        case T_GrantRoleStmt:
            return kRole | kMembership;
        case T_DropRoleStmt:
        case T_DropOwnedStmt:
        case T_ReassignOwnedStmt:
            return kRole | kMembership | kRoleSetting | kGrant;
        case T_RenameStmt:
            switch (castNode(RenameStmt, statement)->renameType) {
                case OBJECT_ROLE:
                    return kRole;
                case OBJECT_EVENT_TRIGGER:
                    return kEventTrigger;
                default:
                    return 0;
            }
        case T_AlterRoleSetStmt:
        case T_AlterDatabaseSetStmt:
            return kRoleSetting;
        case T_AlterSystemStmt:
            return kFileSetting;
        case T_GrantStmt:
        case T_AlterDefaultPrivilegesStmt:
        case T_AlterOwnerStmt:
            return kGrant;
        case T_AlterEventTrigStmt:
        case T_CreateEventTrigStmt:
            return kEventTrigger;
        case T_DropStmt:
            if (castNode(DropStmt, statement)->removeType != OBJECT_EVENT_TRIGGER) return 0;
            return kEventTrigger;
        case T_AlterTableStmt: {
            ListCell *cell;
            foreach (cell, castNode(AlterTableStmt, statement)->cmds)
                if (lfirst_node(AlterTableCmd, cell)->subtype == AT_ChangeOwner) return kGrant;
            return 0;
        }
        default:
            return 0;
    }
}

void look(uint32_t kinds, bool by_statement) {
    static pg::Statement compare = {
        "SELECT aegis.record_watched($1, $2)", 2, {TEXTARRAYOID, BOOLOID}, nullptr};
    Datum names[lengthof(kind_names)];
    int count = 0;
    for (size_t i = 0; i < lengthof(kind_names); i++)
        if ((kinds & (1u << i)) != 0) names[count++] = CStringGetTextDatum(kind_names[i]);
    Datum values[] = {
        PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT)),
        BoolGetDatum(by_statement)};
    ledger_tables::own_change([&] {
        pg::Identity before = pg::enter();
        (void)pg::execute(compare, values);
        pg::leave(before);
    });
}

// A restore brings the roles first and the ledger later, and the ledger has no place for entries.
bool may_look() {
    return !guc::restore_mode && !RecoveryInProgress() && pg::is_installed();
}

void at_transaction_end(XactEvent event, void *) {
    switch (event) {
        case XACT_EVENT_PRE_COMMIT:
        case XACT_EVENT_PRE_PREPARE: {
            uint32_t kinds = expected;
            expected = 0;
            if (kinds == 0 || !may_look()) return;
            PushActiveSnapshot(GetTransactionSnapshot());
            look(kinds, true);
            PopActiveSnapshot();
            return;
        }
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_ABORT:
        case XACT_EVENT_PREPARE:
            expected = 0;
            return;
        default:
            return;
    }
}

void note_roles(Datum, int, uint32) {
    roles_changed = true;
}

}  // namespace

void expect_change(const PlannedStmt *statement) {
    expected |= kinds_of(statement->utilityStmt);
}

void tend() {
    static int64_t next_everything = 0, next_settings = 0;
    static TimestampTz files_read = 0;
    if (!may_look()) return;
    int64_t now = worker::now_micros();
    uint32_t kinds = roles_changed ? kRole | kMembership : 0;
    if (now >= next_settings) kinds |= kRoleSetting;
    if (PgReloadTime != files_read) kinds |= kFileSetting;
    if (now >= next_everything) kinds |= kAll & ~kFileSetting;
    if (kinds == 0) return;
    roles_changed = false;  // set again by what arrives while we look
    TimestampTz read = PgReloadTime;
    look(kinds, false);
    files_read = read;
    if ((kinds & kRoleSetting) != 0) next_settings = now + kSettingsMicros;
    if ((kinds & kGrant) != 0) next_everything = now + kEverythingMicros;
}

void define() {
    RegisterXactCallback(at_transaction_end, nullptr);
    pg::on_catalog_change(AUTHOID, note_roles);
    pg::on_catalog_change(AUTHMEMROLEMEM, note_roles);
}

}  // namespace aegis::watch

using namespace aegis;

AEGIS_FUNCTION(aegis_record_watch) {
    constexpr int kTextArguments = 6;
    char *texts[kTextArguments];
    for (int i = 0; i < kTextArguments; i++)
        texts[i] = PG_ARGISNULL(i) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(i));
    if (texts[0] == nullptr || texts[5] == nullptr)
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("event and how it was seen must not be null")));
    constexpr int kMostCharacters = 1000;
    ledger::DetailPair pairs[3] = {{"how", texts[5], 0}};
    int count = 1;
    const char *const names[] = {"before", "after"};
    for (int i = 0; i < 2; i++) {
        char *text = texts[3 + i];
        if (text == nullptr) continue;
        text[pg_mbcliplen(text, static_cast<int>(strlen(text)), kMostCharacters)] = '\0';
        pairs[count++] = {names[i], text, 0};
    }
    uint8_t detail[2 * kMostCharacters + 256];
    ledger::Event event{texts[0]};
    event.target_kind = texts[1];
    event.target_id = texts[2];
    event.detail = ledger::encode_detail(pairs, count, detail);
    event.even_when_lagging = true;
    ledger::append(event);
    PG_RETURN_VOID();
}

// The files as they are, with the rights of the superuser whose they are.
AEGIS_FUNCTION(aegis_file_settings) {
    static pg::Statement read = {
        "SELECT ARRAY(SELECT pg_catalog.unnest(ARRAY[f.name, f.setting]) FROM ("
        "  SELECT DISTINCT ON (pg_catalog.lower(s.name)) s.name, s.setting"
        "    FROM pg_catalog.pg_show_all_file_settings() s"
        "   WHERE s.name IS NOT NULL AND s.setting IS NOT NULL"
        "   ORDER BY pg_catalog.lower(s.name), s.seqno DESC) f)",
        0,
        {},
        nullptr};
    MemoryContext caller = CurrentMemoryContext;
    pg::Identity before = pg::become(BOOTSTRAP_SUPERUSERID);
    if (SPI_connect() != SPI_OK_CONNECT)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not connect to SPI")));
    (void)pg::execute(read, nullptr);
    bool is_null;
    Datum found = pg::column(0, 1, &is_null);
    MemoryContext inner = MemoryContextSwitchTo(caller);
    Datum result = datumCopy(found, false, -1);
    MemoryContextSwitchTo(inner);
    pg::leave(before);
    PG_RETURN_DATUM(result);
}

// Eight digits of a digest, for aegis.watched alone.
AEGIS_FUNCTION(aegis_watched_password) {
    HeapTuple tuple = SearchSysCache1(AUTHOID, PG_GETARG_DATUM(0));
    if (!HeapTupleIsValid(tuple)) PG_RETURN_NULL();
    bool is_null;
    Datum verifier = SysCacheGetAttr(AUTHOID, tuple, Anum_pg_authid_rolpassword, &is_null);
    if (is_null) {
        ReleaseSysCache(tuple);
        PG_RETURN_NULL();
    }
    core::ByteView bytes = pg::varlena_view(verifier);
    core::Digest digest;
    pg::Report report = pg::run([&] { digest = core::sha256(bytes); });
    ReleaseSysCache(tuple);
    pg::raise(report);
    const uint8_t *start = digest.view().data;
    PG_RETURN_TEXT_P(
        cstring_to_text(psprintf("%02x%02x%02x%02x", start[0], start[1], start[2], start[3])));
}

AEGIS_FUNCTION(aegis_is_own_role_change) {
    HeapTuple tuple = SearchSysCache1(AUTHOID, PG_GETARG_DATUM(0));
    if (!HeapTupleIsValid(tuple)) PG_RETURN_BOOL(false);
    TransactionId writer = HeapTupleHeaderGetXmin(tuple->t_data);
    ReleaseSysCache(tuple);
    PG_RETURN_BOOL(TransactionIdIsCurrentTransactionId(writer));
}

AEGIS_FUNCTION(aegis_is_own_transaction) {
    PG_RETURN_BOOL(TransactionIdIsCurrentTransactionId(PG_GETARG_TRANSACTIONID(0)));
}
