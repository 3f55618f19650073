// SPDX-License-Identifier: Apache-2.0
// Default deny: a tenant session touches protected relations and the harmless part of the catalogs,
// nothing else; a protected relation without a context is an error for everybody whom row security
// binds, where PostgreSQL alone would silently show nothing.
#include "wall.hpp"

#include "charge.hpp"
#include "context.hpp"
#include "guc.hpp"
#include "pg/compat.hpp"
#include "pg/installed.hpp"
#include "pg/report.hpp"
#include "protect.hpp"
#include "role.hpp"
#include "team.hpp"

namespace aegis::wall {

namespace {

// Catalog relations that show other sessions, other tenants' activity, sizes or values. A star
// stands for any ending.
const char *const leaking_catalogs[] = {
    "pg_stat*",  // activity, counters, and the planner's samples in pg_stats and pg_statistic
    "pg_locks",
    "pg_prepared_*",
    "pg_cursors",
    "pg_largeobject*",
    "pg_replication_*",
    "pg_publication*",
    "pg_subscription*",
    "pg_db_role_setting",
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    "pg_file_settings",
    "pg_shmem_allocations",
    "pg_backend_memory_contexts",
    "pg_user_mapping*",
    "pg_foreign_*",
    "pg_shadow",
    "pg_authid",
};

// The extension's own SECURITY DEFINER functions answer for what they read and write.
bool runs_extension_code() {
    return GetUserId() == role::owner();
}

// Sizes in pg_class count the rows of all tenants.
const AttrNumber size_columns[] = {Anum_pg_class_relpages, Anum_pg_class_reltuples,
                                   Anum_pg_class_relallvisible};

bool reads_size(const Bitmapset *columns) {
    if (bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, columns)) return true;
    for (AttrNumber column : size_columns)
        if (bms_is_member(column - FirstLowInvalidHeapAttributeNumber, columns)) return true;
    return false;
}

// Where a row lies and which transaction wrote it tell how many rows and transactions of others lie
// between.
const AttrNumber place_columns[] = {SelfItemPointerAttributeNumber, MinTransactionIdAttributeNumber,
                                    MinCommandIdAttributeNumber, MaxTransactionIdAttributeNumber,
                                    MaxCommandIdAttributeNumber};

bool reads_place(const Bitmapset *columns) {
    for (AttrNumber column : place_columns)
        if (bms_is_member(column - FirstLowInvalidHeapAttributeNumber, columns)) return true;
    return false;
}

enum class Verdict { allowed, no_context, unprotected, partition, bypassed, forbidden, places };

Verdict judge_for_member(const RangeTblEntry *entry, List *permissions, bool tenant_rows,
                         bool forced) {
    if (!guc::default_deny) return Verdict::allowed;
    Oid relation = entry->relid;
    if (relation == RelationRelationId && reads_size(pg::selected_columns(entry, permissions)))
        return Verdict::forbidden;
    Oid schema = get_rel_namespace(relation);
    if (schema == PG_CATALOG_NAMESPACE || schema == get_namespace_oid("information_schema", true))
        return matches_any(get_rel_name(relation), leaking_catalogs, lengthof(leaking_catalogs))
                   ? Verdict::forbidden
                   : Verdict::allowed;
    if (get_rel_relkind(relation) == RELKIND_VIEW)
        return Verdict::allowed;  // what it reads stands in the same range table
    if (!tenant_rows || !forced) return Verdict::unprotected;
    // Its table is the one way in: statement-level triggers and grants are those of the table.
    if (get_rel_relispartition(relation)) return Verdict::partition;
    if (reads_place(pg::selected_columns(entry, permissions))) return Verdict::places;
    // A view or function of a superuser would read the rows of all tenants.
    return check_enable_rls(relation, pg::checked_as(entry, permissions), true) == RLS_ENABLED ||
                   protect::is_looked_at(relation)
               ? Verdict::allowed
               : Verdict::bypassed;
}

Verdict judge(const RangeTblEntry *entry, List *permissions, Rules rules) {
    if (rules == Rules::gateway && guc::default_deny) return Verdict::forbidden;
    // Referential checks run as the table's owner and show nothing but the outcome; protect_table
    // requires keys that lead with the tenant.
    if (InNoForceRLSOperation() || team::is_rewrite(entry, permissions)) return Verdict::allowed;
    bool forced = false;
    bool tenant_rows = has_tenant_rows(entry->relid, &forced);
    if (rules != Rules::none) {
        Verdict verdict = judge_for_member(entry, permissions, tenant_rows, forced);
        if (verdict != Verdict::allowed) return verdict;
    }
    if (tenant_rows && context::current() == nullptr && !runs_extension_code() &&
        check_enable_rls(entry->relid, pg::checked_as(entry, permissions), true) == RLS_ENABLED)
        return Verdict::no_context;
    return Verdict::allowed;
}

void refuse(Verdict verdict, Oid relation, Rules rules) {
    const char *name = get_rel_name(relation);
    switch (verdict) {
        case Verdict::allowed:
            return;
        case Verdict::no_context:
            context::require();  // AG001
            return;
        case Verdict::unprotected:
            ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_PROTECTED),
                            errmsg("relation \"%s\" is not protected", name),
                            errdetail("Tenant sessions may use protected tables only."),
                            errhint("Call aegis.protect_table() for the table, or let a function "
                                    "of its own schema "
                                    "answer instead.")));
            return;
        case Verdict::partition:
            ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                            errmsg("partition \"%s\" is not allowed in a tenant session", name),
                            errhint("Use the table that it is a partition of.")));
            return;
        case Verdict::bypassed:
            ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                            errmsg("relation \"%s\" cannot be read past row security", name),
                            errdetail("The owner of the view or function that reads it bypasses "
                                      "row security."),
                            errhint("Create the view with security_invoker, or give it to an "
                                    "owner that row security binds.")));
            return;
        case Verdict::places:
            ereport(ERROR,
                    (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                     errmsg("system columns of relation \"%s\" are not allowed in a tenant session",
                            name),
                     errdetail("They tell what of other tenants lies between its rows.")));
            return;
        case Verdict::forbidden:
            ereport(ERROR,
                    (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                     errmsg("relation \"%s\" is not allowed in a tenant session", name),
                     rules == Rules::gateway
                         ? errdetail("The gateway's login may call its entry functions only.")
                         : errdetail("It shows what other tenants do.")));
    }
}

}  // namespace

Passage close_passage() {
    Passage passage = {context::current() != nullptr && InNoForceRLSOperation(), InvalidOid, 0};
    if (!passage.closed) return passage;
    GetUserIdAndSecContext(&passage.user, &passage.security);
    SetUserIdAndSecContext(passage.user, passage.security & ~SECURITY_NOFORCE_RLS);
    return passage;
}

// After an error the end of the (sub)transaction does it.
void reopen(const Passage &passage) {
    if (passage.closed) SetUserIdAndSecContext(passage.user, passage.security);
}

bool check_relations(List *range_table, List *permissions, bool report) {
    Rules rules = rules_in_force();
    const context::Context *context = context::current();
    if (rules == Rules::none && context == nullptr && !pg::is_installed()) return true;
    context::require_timely();
    ListCell *cell;
    foreach (cell, range_table) {
        const RangeTblEntry *entry = static_cast<const RangeTblEntry *>(lfirst(cell));
        if (entry->rtekind != RTE_RELATION) continue;
        AclMode wanted = pg::required_permissions(entry, permissions);
        if (wanted == 0) continue;
        Verdict verdict = judge(entry, permissions, rules);
        // transaction_read_only alone is not enough: it ends with the subtransaction that set it.
        bool writes_read_only = context != nullptr && context->read_only &&
                                !runs_extension_code() &&
                                (wanted & (ACL_INSERT | ACL_UPDATE | ACL_DELETE)) != 0;
        if (verdict == Verdict::allowed && !writes_read_only) continue;
        if (!report) return false;
        if (verdict != Verdict::allowed && verdict != Verdict::no_context)
            charge::note_refusal("relation", get_rel_name(entry->relid));
        refuse(verdict, entry->relid, rules);
        ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
                        errmsg("cannot change relation \"%s\" in a read-only context",
                               get_rel_name(entry->relid))));
    }
    return true;
}

}  // namespace aegis::wall
