// SPDX-License-Identifier: Apache-2.0
// Moves a team below another, and numbers the teams below one anew where numbers have run out. Both
// give a part of the tree new numbers and rewrite exactly the rows that carried the old ones.
#include "context.hpp"
#include "ledger.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "team.hpp"
#include "user.hpp"

namespace aegis::team {

namespace {

pg::Statement read_tree = {
    "SELECT m.id, m.parent_id, m.ord, m.last_ord, m.given_to FROM aegis.team m"
    " WHERE m.tenant_id OPERATOR(pg_catalog.=) $1 ORDER BY m.ord",
    1,
    {UUIDOID},
    nullptr};

// Out of the way first: numbers are unique at every moment.
pg::Statement set_aside = {
    "UPDATE aegis.team SET ord = ord OPERATOR(pg_catalog.+) $3,"
    " last_ord = last_ord OPERATOR(pg_catalog.+) $3"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) ANY ($2)",
    3,
    {UUIDOID, UUIDARRAYOID, INT8OID},
    nullptr};

pg::Statement number = {
    "UPDATE aegis.team SET ord = n.ord, last_ord = n.last_ord, given_to = NULL"
    "  FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
    "    AS n (id, ord, last_ord)"
    " WHERE team.tenant_id OPERATOR(pg_catalog.=) $1 AND team.id OPERATOR(pg_catalog.=) n.id",
    4,
    {UUIDOID, UUIDARRAYOID, INT8ARRAYOID, INT8ARRAYOID},
    nullptr};

pg::Statement set_parent = {
    "UPDATE aegis.team SET parent_id = $3"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
    3,
    {UUIDOID, UUIDOID, UUIDOID},
    nullptr};

pg::Statement set_given = {
    "UPDATE aegis.team SET given_to = $3"
    " WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND id OPERATOR(pg_catalog.=) $2",
    3,
    {UUIDOID, UUIDOID, INT8OID},
    nullptr};

struct Node {
    pg_uuid_t id;
    int parent;  // index; -1 for the root
    int64 ord, last_ord, given_to;
    int64 new_ord, new_last;  // 0 while it keeps its numbers
};

struct Tree {  // in the order of the numbers: a parent stands before its children
    int count;
    Node *nodes;
};

bool same(const pg_uuid_t &a, const pg_uuid_t &b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

int find(const Tree &tree, const pg_uuid_t &id) {
    for (int i = 0; i < tree.count; i++)
        if (same(tree.nodes[i].id, id)) return i;
    return -1;
}

Tree read(const pg_uuid_t &tenant) {
    Datum key[] = {UUIDPGetDatum(&tenant)};
    Tree tree = {static_cast<int>(pg::execute(read_tree, key)), nullptr};
    tree.nodes = static_cast<Node *>(palloc0(sizeof(Node) * (tree.count + 1)));
    for (int i = 0; i < tree.count; i++) {
        Node &node = tree.nodes[i];
        uint64 row = static_cast<uint64>(i);
        bool is_null;
        node.id = *DatumGetUUIDP(pg::column(row, 1, &is_null));
        Datum parent = pg::column(row, 2, &is_null);
        node.parent = is_null ? -1 : find({i, tree.nodes}, *DatumGetUUIDP(parent));
        node.ord = DatumGetInt64(pg::column(row, 3, &is_null));
        node.last_ord = DatumGetInt64(pg::column(row, 4, &is_null));
        Datum given = pg::column(row, 5, &is_null);
        node.given_to = is_null ? 0 : DatumGetInt64(given);
    }
    return tree;
}

[[noreturn]] void refuse_room(const char *detail) {
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("no room for another team below this one"), errdetail("%s", detail)));
    pg_unreachable();
}

// Gives a team and all below it numbers from `ord` on, without gaps between them.
void place(Tree &tree, int team, int64 ord, int64 width) {
    check_stack_depth();
    Node &node = tree.nodes[team];
    node.new_ord = ord;
    node.new_last = ord + width - 1;
    int64 part = width / kChildren, next = ord + 1;
    for (int i = 0; i < tree.count; i++) {
        if (tree.nodes[i].parent != team) continue;
        if (part == 0) refuse_room("A team has teams in at most 6 levels below the root.");
        if (next + part - 1 > node.new_last)
            refuse_room("A team has at most 1023 teams directly below it.");
        place(tree, i, next, part);
        next += part;
    }
}

// All below a team anew; the team itself keeps its numbers.
void place_below(Tree &tree, int team) {
    Node &node = tree.nodes[team];
    place(tree, team, node.ord, node.last_ord - node.ord + 1);
}

int64 next_free(const Tree &tree, int parent, int moved, int64 width) {
    const Node &node = tree.nodes[parent];
    int64 last = Max(node.ord, node.given_to);
    for (int i = 0; i < tree.count; i++)
        if (tree.nodes[i].parent == parent && i != moved) last = Max(last, tree.nodes[i].last_ord);
    return last <= node.last_ord - width ? last + 1 : 0;
}

ArrayType *array_of(Datum *values, int count, Oid type) {
    bool uuid = type == UUIDOID;
    return construct_array(values, count, type, uuid ? UUID_LEN : 8, !uuid && FLOAT8PASSBYVAL,
                           uuid ? TYPALIGN_CHAR : TYPALIGN_DOUBLE);
}

int write_numbers(const Tree &tree, const pg_uuid_t &tenant) {
    Datum *ids = static_cast<Datum *>(palloc(sizeof(Datum) * 3 * (tree.count + 1)));
    Datum *ords = ids + tree.count, *lasts = ords + tree.count;
    int changed = 0;
    for (int i = 0; i < tree.count; i++) {
        const Node &node = tree.nodes[i];
        if (node.new_ord == 0) continue;
        ids[changed] = UUIDPGetDatum(&node.id);
        ords[changed] = Int64GetDatum(node.new_ord);
        lasts[changed++] = Int64GetDatum(node.new_last);
    }
    Datum id_array = PointerGetDatum(array_of(ids, changed, UUIDOID));
    Datum aside[] = {UUIDPGetDatum(&tenant), id_array, Int64GetDatum(kLast - 1)};
    pg::execute(set_aside, aside);
    Datum values[] = {UUIDPGetDatum(&tenant), id_array,
                      PointerGetDatum(array_of(ords, changed, INT8OID)),
                      PointerGetDatum(array_of(lasts, changed, INT8OID))};
    pg::execute(number, values);
    return changed;
}

// Which number a row gets is a step function of the one it has: from `starts[i]` on, `targets[i]`.
// Numbers between two teams, which a lead may have given, fall to the team around them.
struct Steps {
    int count;
    Datum *starts, *targets;

    void add(int64 start, int64 target) {
        // A team that ends where its parent does leaves nothing in between.
        if (count > 0 && DatumGetInt64(starts[count - 1]) == start) count--;
        starts[count] = Int64GetDatum(start);
        targets[count++] = Int64GetDatum(target);
    }
};

int64 target_of(const Node &node) {
    return node.new_ord != 0 ? node.new_ord : node.ord;
}

Steps steps_of(const Tree &tree) {
    Steps steps{};
    size_t bytes = sizeof(Datum) * (2 * static_cast<size_t>(tree.count) + 2);
    steps.starts = static_cast<Datum *>(palloc(bytes));
    steps.targets = static_cast<Datum *>(palloc(bytes));
    int *open = static_cast<int *>(palloc(sizeof(int) * (tree.count + 1)));
    int depth = 0;
    for (int i = 0; i < tree.count; i++) {
        while (depth > 0 && tree.nodes[open[depth - 1]].last_ord < tree.nodes[i].ord) {
            int64 after = tree.nodes[open[--depth]].last_ord + 1;
            if (depth > 0) steps.add(after, target_of(tree.nodes[open[depth - 1]]));
        }
        steps.add(tree.nodes[i].ord, target_of(tree.nodes[i]));
        open[depth++] = i;
    }
    while (depth > 1) {
        int64 after = tree.nodes[open[--depth]].last_ord + 1;
        if (after <= tree.nodes[open[depth - 1]].last_ord)
            steps.add(after, target_of(tree.nodes[open[depth - 1]]));
    }
    return steps;
}

// Numbers in the ranges, as the tree says.
int64 move_rows(const Tree &tree, const pg_uuid_t &tenant, Range one, Range other) {
    Steps steps = steps_of(tree);
    return static_cast<int64>(rewrite_rows(tenant, array_of(steps.starts, steps.count, INT8OID),
                                           array_of(steps.targets, steps.count, INT8OID), one,
                                           other));
}

// A snapshot from before the wait would not show what those wrote who were waited for.
void require_fresh_snapshots() {
    if (IsolationUsesXactSnapshot())
        ereport(ERROR, (errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
                        errmsg("teams cannot be numbered at this isolation level"),
                        errhint("Begin the transaction with READ COMMITTED.")));
}

void record(const char *type, const pg_uuid_t &team, const ledger::DetailPair *pairs, int count) {
    char id[37];
    user::format(team, id);
    uint8_t detail[256];
    ledger::Event entry{};
    entry.type = type;
    entry.target_kind = "team";
    entry.target_id = id;
    entry.detail = ledger::encode_detail(pairs, count, detail);
    ledger::append(entry);
}

void require_movable(const Tree &tree, int team, int parent) {
    if (team < 0) ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("team does not exist")));
    if (parent < 0)
        ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("parent team does not exist")));
    const Node &node = tree.nodes[team], &to = tree.nodes[parent];
    if (node.parent < 0)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the root team cannot be moved")));
    if (to.ord >= node.ord && to.ord <= node.last_ord)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("team cannot be moved below itself")));
    if (node.parent == parent)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("team is directly below that team already")));
}

}  // namespace

void number_below(const pg_uuid_t &tenant, const pg_uuid_t &team) {
    require_fresh_snapshots();
    take_numbers(tenant);
    pg::Identity before = pg::enter();
    Tree tree = read(tenant);
    int at = find(tree, team);
    place_below(tree, at);
    Range range = {tree.nodes[at].ord, tree.nodes[at].last_ord};
    int teams = write_numbers(tree, tenant);
    int64 rows = move_rows(tree, tenant, range, range);
    const ledger::DetailPair pairs[] = {{"rows", nullptr, rows}, {"teams", nullptr, teams}};
    record("team.renumbered", team, pairs, lengthof(pairs));
    pg::leave(before);
}

}  // namespace aegis::team

using namespace aegis;

AEGIS_FUNCTION(aegis_move_team) {
    const context::Context &context = team::require_admin();
    pg_uuid_t tenant = context.tenant, id = *PG_GETARG_UUID_P(0), to = *PG_GETARG_UUID_P(1);
    team::require_fresh_snapshots();
    team::take_numbers(tenant);
    pg::Identity before = pg::enter();
    team::Tree tree = team::read(tenant);
    int moved = team::find(tree, id), parent = team::find(tree, to);
    team::require_movable(tree, moved, parent);
    team::Node &node = tree.nodes[moved];
    int from = node.parent;
    team::Range old_range = {node.ord, node.last_ord}, other = old_range;

    Datum new_parent[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&id), UUIDPGetDatum(&to)};
    pg::execute(team::set_parent, new_parent);
    node.parent = parent;
    const team::Node &target = tree.nodes[parent];
    int64 width = (target.last_ord - target.ord + 1) / team::kChildren;
    if (width == 0) team::refuse_room("A team has teams in at most 6 levels below the root.");
    int64 ord = team::next_free(tree, parent, moved, width);
    if (ord != 0) {
        team::place(tree, moved, ord, width);
    } else {
        team::place_below(tree, parent);
        other = {target.ord, target.last_ord};
    }
    if (tree.nodes[from].new_ord == 0) {
        // A part is given once, as when a team is deleted.
        Datum given[] = {UUIDPGetDatum(&tenant), UUIDPGetDatum(&tree.nodes[from].id),
                         Int64GetDatum(Max(tree.nodes[from].given_to, old_range.hi))};
        pg::execute(team::set_given, given);
    }
    int teams = team::write_numbers(tree, tenant);
    int64 rows = team::move_rows(tree, tenant, old_range, other);

    char from_id[37], to_id[37];
    user::format(tree.nodes[from].id, from_id);
    user::format(to, to_id);
    const ledger::DetailPair pairs[] = {
        {"from", from_id, 0}, {"rows", nullptr, rows}, {"teams", nullptr, teams}, {"to", to_id, 0}};
    team::record("team.moved", id, pairs, lengthof(pairs));
    pg::leave(before);
    PG_RETURN_VOID();
}
