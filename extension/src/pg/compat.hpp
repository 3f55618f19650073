// SPDX-License-Identifier: Apache-2.0
// The only place that looks at PG_VERSION_NUM. Everything else asks for a capability by name.
#pragma once

#include "pg/postgres.hpp"

#if PG_VERSION_NUM < 150000
#error "aegis needs PostgreSQL 15 or newer"
#endif

namespace aegis::pg {

// Releases below these carry known row-security or planner leaks (docs/threat-model.md).
#if PG_VERSION_NUM < 160000
inline constexpr int kMinimumServerVersion = 150020;
#else
inline constexpr int kMinimumServerVersion = PG_VERSION_NUM;
#endif

// A setting of the server, nullptr when there is none of this name.
inline struct config_generic *find_setting(const char *name) {
#if PG_VERSION_NUM >= 160000
    return find_option(name, false, true, ERROR);
#else
    struct config_generic **settings = get_guc_variables();
    for (int i = 0; i < GetNumConfigOptions(); i++)
        if (strcmp(settings[i]->name, name) == 0) return settings[i];
    return nullptr;
#endif
}

// The file that a relation's rows are in.
inline auto file_of(Relation relation) {
#if PG_VERSION_NUM >= 160000
    return relation->rd_locator;
#else
    return relation->rd_node;
#endif
}

// Memory that a GUC check hook hands over in *extra.
inline void *guc_extra_alloc(size_t bytes) {
#if PG_VERSION_NUM >= 160000
    return guc_malloc(LOG, bytes);
#else
    return malloc(bytes);
#endif
}

// Rights that a statement asks for on a relation. 0: the planner added it (a partition of a table
// that was checked itself), nobody addressed it. From 16 the rights stand in a list of their own.
inline AclMode required_permissions(const RangeTblEntry *entry,
                                    [[maybe_unused]] List *permissions) {
#if PG_VERSION_NUM >= 160000
    if (entry->perminfoindex == 0) return 0;
    return getRTEPermissionInfo(permissions, const_cast<RangeTblEntry *>(entry))->requiredPerms;
#else
    return entry->requiredPerms;
#endif
}

// The role whose rights count, InvalidOid for the current user (a view's owner otherwise).
inline Oid checked_as(const RangeTblEntry *entry, [[maybe_unused]] List *permissions) {
#if PG_VERSION_NUM >= 160000
    if (entry->perminfoindex == 0) return InvalidOid;
    return getRTEPermissionInfo(permissions, const_cast<RangeTblEntry *>(entry))->checkAsUser;
#else
    return entry->checkAsUser;
#endif
}

// Lets the rights of a role count for the table that a statement changes.
inline void check_as(Query *query, Oid role) {
#if PG_VERSION_NUM >= 160000
    RangeTblEntry *target = rt_fetch(query->resultRelation, query->rtable);
    getRTEPermissionInfo(query->rteperminfos, target)->checkAsUser = role;
#else
    rt_fetch(query->resultRelation, query->rtable)->checkAsUser = role;
#endif
}

// The columns that a statement reads, as in RangeTblEntry.selectedCols.
inline const Bitmapset *selected_columns(const RangeTblEntry *entry,
                                         [[maybe_unused]] List *permissions) {
#if PG_VERSION_NUM >= 160000
    if (entry->perminfoindex == 0) return nullptr;
    return getRTEPermissionInfo(permissions, const_cast<RangeTblEntry *>(entry))->selectedCols;
#else
    return entry->selectedCols;
#endif
}

// Has a statement ask for the right to read a relation of its own.
inline void require_read([[maybe_unused]] Query *query, RangeTblEntry *entry) {
#if PG_VERSION_NUM >= 160000
    if (entry->perminfoindex != 0)
        getRTEPermissionInfo(query->rteperminfos, entry)->requiredPerms |= ACL_SELECT;
#else
    entry->requiredPerms |= ACL_SELECT;
#endif
}

// The next value of a sort, in new memory. False after the last.
inline bool next_sorted(Tuplesortstate *sort, Datum *value) {
    bool is_null;
#if PG_VERSION_NUM >= 160000
    return tuplesort_getdatum(sort, true, true, value, &is_null, nullptr);
#else
    return tuplesort_getdatum(sort, true, value, &is_null, nullptr);
#endif
}

// The server declares tree walkers without parameters before 16, which C++ reads as taking none.
using TreeWalker = bool (*)(Node *, void *);
#if PG_VERSION_NUM >= 160000
inline bool walk_expression(Node *node, TreeWalker walker, void *context) {
    return expression_tree_walker_impl(node, walker, context);
}
inline bool walk_query(Query *query, TreeWalker walker, void *context) {
    return query_tree_walker_impl(query, walker, context, 0);
}
#else
inline bool walk_expression(Node *node, TreeWalker walker, void *context) {
    return expression_tree_walker(
        node, reinterpret_cast<bool (*)()>(reinterpret_cast<void *>(walker)), context);
}
inline bool walk_query(Query *query, TreeWalker walker, void *context) {
    return query_tree_walker(query, reinterpret_cast<bool (*)()>(reinterpret_cast<void *>(walker)),
                             context, 0);
}
#endif

}  // namespace aegis::pg

// Signature of ExecutorCheckPerms_hook.
#if PG_VERSION_NUM >= 160000
#define AEGIS_CHECK_PERMISSIONS_PARAMETERS List *range_table, List *permissions, bool report
#define AEGIS_CHECK_PERMISSIONS_ARGUMENTS range_table, permissions, report
#define AEGIS_CHECK_PERMISSIONS_INFOS permissions
#else
#define AEGIS_CHECK_PERMISSIONS_PARAMETERS List *range_table, bool report
#define AEGIS_CHECK_PERMISSIONS_ARGUMENTS range_table, report
#define AEGIS_CHECK_PERMISSIONS_INFOS NIL
#endif

#if PG_VERSION_NUM >= 160000
#define AEGIS_EXPORT PGDLLEXPORT
#else
#define AEGIS_EXPORT __attribute__((visibility("default")))
#endif
