// SPDX-License-Identifier: Apache-2.0
#include "wall_role.hpp"

#include "charge.hpp"
#include "pg/compat.hpp"
#include "pg/report.hpp"
#include "role.hpp"

namespace aegis::wall {

namespace {

constexpr const char *kOwner = "aegis_owner";
const char *const aegis_roles[] = {kOwner,           "aegis_gateway", "aegis_member",
                                   "aegis_operator", "aegis_auditor", "aegis_payment_service",
                                   "aegis_agent"};

[[noreturn]] void refuse_rename(const char *name) {
    charge::note_refusal("role", name);
    ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                    errmsg("renaming role \"%s\" is not allowed", name),
                    errdetail("Aegis knows its roles by name.")));
    pg_unreachable();
}

// CURRENT_USER and the like are never a role of Aegis that matters here: nobody logs in as one.
const char *name_of(const RoleSpec *role) {
    return role != nullptr && role->roletype == ROLESPEC_CSTRING ? role->rolename : "";
}

bool is_owner(const char *name) {
    return strcmp(name, kOwner) == 0;
}

bool is_aegis(const char *name) {
    for (const char *known : aegis_roles)
        if (strcmp(name, known) == 0) return true;
    return false;
}

[[noreturn]] void refuse_owner(const char *what) {
    charge::note_refusal("role", kOwner);
    ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                    errmsg("%s role \"%s\" is not allowed", what, kOwner),
                    errdetail("Nobody may act as the owner of the ledger.")));
    pg_unreachable();
}

// Whether the caller may decide about a role: one of Aegis, a member of one (it acts for it), or
// one of the server's own, which read and write every table, file and program. A superuser may, and
// whom a superuser gave the admin option; on PostgreSQL 15 CREATEROLE alone would do.
void require_admin(const char *what, const char *name) {
    Oid oid = get_role_oid(name, true);
    if (superuser() || !OidIsValid(oid)) return;
    bool allowed = !IsReservedName(name) || is_admin_of_role(GetUserId(), oid);
    for (const char *known : aegis_roles) {
        Oid group = get_role_oid(known, true);
        if (OidIsValid(group) && is_member_of_role_nosuper(oid, group))
            allowed = allowed && is_admin_of_role(GetUserId(), group);
    }
    if (!allowed) charge::note_refusal("role", name);
    if (!allowed)
        ereport(ERROR, (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                        errmsg("%s role \"%s\" is not allowed", what, name),
                        errdetail("CREATEROLE is not enough for the roles of Aegis and of the "
                                  "server, and for their members."),
                        errhint("Ask a superuser, or a member with the admin option.")));
}

void check_new_member(const char *group) {
    if (is_owner(group) && OidIsValid(role::owner())) refuse_owner("granting");
    require_admin("granting", group);
}

// Everybody may change what core lets them change of themselves, such as the own password.
void require_admin_or_self(const char *name) {
    if (get_role_oid(name, true) != GetUserId()) require_admin("altering", name);
}

bool is_on(const DefElem *option) {
    return option->arg != nullptr && defGetBoolean(const_cast<DefElem *>(option));
}

void check_attributes(const char *name, const List *options) {
    static const char *const refused[] = {"superuser", "createdb", "createrole", "isreplication",
                                          "bypassrls"};
    ListCell *cell;
    foreach (cell, options) {
        const DefElem *option = static_cast<const DefElem *>(lfirst(cell));
        for (const char *attribute : refused)
            if (strcmp(option->defname, attribute) == 0 && is_on(option))
                ereport(
                    ERROR,
                    (errcode(AEGIS_ERRCODE_NOT_ALLOWED),
                     errmsg("role \"%s\" cannot have the attribute %s", name,
                            strcmp(attribute, "isreplication") == 0 ? "replication" : attribute),
                     errdetail("No role of Aegis may bypass or change what Aegis enforces.")));
    }
}

// pg_dumpall writes every attribute down; saying again that there are none is no change.
void check_owner_options(const List *options) {
    static const char *const flags[] = {"superuser",     "createdb",  "createrole",
                                        "isreplication", "bypassrls", "canlogin"};
    ListCell *cell;
    foreach (cell, options) {
        const DefElem *option = static_cast<const DefElem *>(lfirst(cell));
        bool harmless = strcmp(option->defname, "inherit") == 0;
        for (const char *flag : flags)
            harmless = harmless || (strcmp(option->defname, flag) == 0 && !is_on(option));
        if (!harmless) refuse_owner("altering");
    }
}

bool lists_owner(const List *roles) {
    ListCell *cell;
    foreach (cell, roles)
        if (is_owner(name_of(static_cast<const RoleSpec *>(lfirst(cell))))) return true;
    return false;
}

// aegis_owner gains nothing by being a member of others, and must not.
void check_new_members(const List *options) {
    ListCell *cell;
    foreach (cell, options) {
        const DefElem *option = static_cast<const DefElem *>(lfirst(cell));
        bool members = strcmp(option->defname, "rolemembers") == 0 ||
                       strcmp(option->defname, "adminmembers") == 0;
        if (members && lists_owner(reinterpret_cast<List *>(option->arg)))
            refuse_owner("granting to");
    }
}

void check_create(const CreateRoleStmt *create) {
    bool existed = OidIsValid(get_role_oid(create->role, true));
    if (is_aegis(create->role) && !existed) check_attributes(create->role, create->options);
    check_new_members(create->options);
    ListCell *cell;
    foreach (cell, create->options) {
        const DefElem *option = static_cast<const DefElem *>(lfirst(cell));
        if (strcmp(option->defname, "addroleto") != 0)  // IN ROLE
            continue;
        ListCell *group;
        foreach (group, reinterpret_cast<List *>(option->arg))
            check_new_member(name_of(static_cast<const RoleSpec *>(lfirst(group))));
    }
}

void check_alter(const AlterRoleStmt *alter) {
    const char *name = name_of(alter->role);
    require_admin_or_self(name);
    if (alter->action > 0) check_new_members(alter->options);
    if (!is_aegis(name)) return;
    if (is_owner(name)) check_owner_options(alter->options);
    check_attributes(name, alter->options);
    ListCell *cell;
    foreach (cell, alter->options)  // ALTER GROUP ... ADD USER
        if (strcmp(static_cast<const DefElem *>(lfirst(cell))->defname, "rolemembers") == 0 &&
            alter->action > 0)
            check_new_member(name);
}

void check_grant(const GrantRoleStmt *grant) {
    ListCell *cell;
    if (!grant->is_grant) {  // who is a member no longer is no tenant session any more
        foreach (cell, grant->granted_roles)
            require_admin("revoking", static_cast<const AccessPriv *>(lfirst(cell))->priv_name);
        return;
    }
    foreach (cell, grant->granted_roles)
        check_new_member(static_cast<const AccessPriv *>(lfirst(cell))->priv_name);
    if (lists_owner(grant->grantee_roles)) refuse_owner("granting to");
}

// A server where Aegis was never installed has no role to watch over.
bool is_about_roles(const Node *statement) {
    switch (nodeTag(statement)) {
        case T_CreateRoleStmt:
        case T_AlterRoleStmt:
        case T_GrantRoleStmt:
        case T_AlterRoleSetStmt:
        case T_RenameStmt:
        case T_ReassignOwnedStmt:
        case T_DropOwnedStmt:
            return true;
        default:
            return false;
    }
}

}  // namespace

void check_role_statement(const Node *statement) {
    if (!is_about_roles(statement) || !OidIsValid(role::owner())) return;
    switch (nodeTag(statement)) {
        case T_CreateRoleStmt:
            check_create(reinterpret_cast<const CreateRoleStmt *>(statement));
            break;
        case T_AlterRoleStmt:
            check_alter(reinterpret_cast<const AlterRoleStmt *>(statement));
            break;
        case T_GrantRoleStmt:
            check_grant(reinterpret_cast<const GrantRoleStmt *>(statement));
            break;
        case T_AlterRoleSetStmt: {
            const char *name = name_of(reinterpret_cast<const AlterRoleSetStmt *>(statement)->role);
            if (is_owner(name)) refuse_owner("altering");
            require_admin_or_self(name);
            break;
        }
        case T_RenameStmt: {
            const RenameStmt *rename = reinterpret_cast<const RenameStmt *>(statement);
            // Walls know the roles by name: a renamed one would bind nobody.
            if (rename->renameType == OBJECT_ROLE && is_aegis(rename->subname))
                refuse_rename(rename->subname);
            break;
        }
        case T_ReassignOwnedStmt:
            if (lists_owner(reinterpret_cast<const ReassignOwnedStmt *>(statement)->roles))
                refuse_owner("reassigning what belongs to");
            break;
        case T_DropOwnedStmt:
            if (lists_owner(reinterpret_cast<const DropOwnedStmt *>(statement)->roles))
                refuse_owner("dropping what belongs to");
            break;
        default:
            break;
    }
}

}  // namespace aegis::wall
