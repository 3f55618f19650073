// SPDX-License-Identifier: Apache-2.0
#include "pg/table_query.hpp"

#include "pg/compat.hpp"

namespace aegis::pg {

namespace {

void refuse(const char *name) {
    ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                    errmsg("table \"%s\" was renamed, replaced or dropped meanwhile", name),
                    errhint("Try again.")));
}

void hold(Oid table) {
    LockRelationOid(table, AccessShareLock);
    char kind = get_rel_relkind(table);
    if (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE || kind == RELKIND_SEQUENCE)
        return;
    const char *name = get_rel_name(table);
    refuse(name != nullptr ? name : psprintf("%u", table));
}

bool check_entries(Node *node, void *tables) {
    if (node == nullptr) return false;
    if (!IsA(node, Query)) return walk_expression(node, check_entries, tables);
    Query *query = reinterpret_cast<Query *>(node);
    ListCell *cell;
    foreach (cell, query->rtable) {
        const RangeTblEntry *entry = static_cast<const RangeTblEntry *>(lfirst(cell));
        if (entry->rtekind == RTE_RELATION &&
            !list_member_oid(static_cast<List *>(tables), entry->relid))
            refuse(get_rel_name(entry->relid));
    }
    return walk_query(query, check_entries, tables);
}

// Not by SPI, whose plans are made anew from the text when a name has changed.
PlannedStmt *plan(const char *text, const List *tables, Oid *types, int count) {
    Query *query = parse_analyze_fixedparams(linitial_node(RawStmt, pg_parse_query(text)), text,
                                             types, count, nullptr);
    check_entries(reinterpret_cast<Node *>(query), const_cast<List *>(tables));
    return pg_plan_query(linitial_node(Query, QueryRewrite(query)), text, 0, nullptr);
}

}  // namespace

Portal open_table_query(const char *text, const List *tables, const pg_uuid_t *tenant,
                        Snapshot snapshot) {
    ListCell *cell;
    foreach (cell, tables) hold(lfirst_oid(cell));
    Oid types[] = {UUIDOID};
    int count = tenant != nullptr ? 1 : 0;
    CommandCounterIncrement();
    PushActiveSnapshot(snapshot != InvalidSnapshot ? snapshot : GetTransactionSnapshot());
    PlannedStmt *planned = plan(text, tables, types, count);
    PopActiveSnapshot();

    Portal portal = CreateNewPortal();
    portal->visible = false;
    MemoryContext caller = MemoryContextSwitchTo(portal->portalContext);
    ParamListInfo parameters = makeParamList(count);
    if (tenant != nullptr) {
        pg_uuid_t *value = static_cast<pg_uuid_t *>(palloc(sizeof *value));
        *value = *tenant;
        parameters->params[0] = {UUIDPGetDatum(value), false, PARAM_FLAG_CONST, UUIDOID};
    }
    List *statements = list_make1(copyObjectImpl(planned));
    const char *kept = pstrdup(text);
    MemoryContextSwitchTo(caller);
    PortalDefineQuery(portal, nullptr, kept, CMDTAG_SELECT, statements, nullptr);
    portal->cursorOptions = CURSOR_OPT_NO_SCROLL;
    PortalStart(portal, parameters, 0, snapshot);
    return portal;
}

bool finds_row(const char *text, const List *tables, const pg_uuid_t &tenant) {
    Portal portal = open_table_query(text, tables, &tenant, InvalidSnapshot);
    SPI_cursor_fetch(portal, true, 1);
    bool found = SPI_processed > 0;
    SPI_freetuptable(SPI_tuptable);
    SPI_cursor_close(portal);
    return found;
}

}  // namespace aegis::pg
