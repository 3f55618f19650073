# SPDX-License-Identifier: Apache-2.0
"""By what the catalogs grant: every right that somebody could use is looked at, in the database as it is installed."""
import os
import subprocess

from catalogue import attack, equal, holds, refuses
from world import CANARY, MINE

OURS = "pronamespace IN ('aegis'::regnamespace, 'aegis_app'::regnamespace)"
IN_C = "(SELECT oid FROM pg_language WHERE lanname = 'c')"
GETTERS = {"tenant_id", "user_id", "session_id", "user_lo", "user_hi", "team_ord", "team_lo", "team_hi", "rank", "auth_method", "request_id",
           "client_ip", "require_tenant", "service_id", "link_id", "link_target"}
# What every login may call with more than its own rights, and why: it checks its caller, fires as a trigger only, or knows nothing
# but its arguments. Functions in SQL or PL/pgSQL that run as their caller are not asked for.
CHECKED = {"record", "audit_table", "unaudit_table", "protect_table", "unprotect_table", "reseal", "retoken", "has_dead_token", "without_dead_token", "convert_keys", "row_findings", "backfill_table",
           "backfill_progress", "conversion_progress"}
TRIGGERS = {"audit_row", "audit_truncate", "follow_parent", "refuse_truncate", "stamp_row", "seal_row", "keep_twin", "refuse_card_data"}
PURE = {"armor", "is_twin", "is_sealed", "is_sealed_for", "wait_sealed", "key_epoch", "is_free_of_card_data", "scrub", "scrub_findings"}
TENANTS = "ARRAY['public', 'aegis_gateway', 'aegis_member', 'aegis_payment_service', 'aegis_agent']"


def to_everybody(acl="proacl", kind="f", owner="proowner"):
    return "EXISTS (SELECT FROM aclexplode(coalesce(%s, acldefault('%s', %s))) a WHERE a.grantee = 0)" % (acl, kind, owner)


@attack("G1", "Call a function of the library that was left to PUBLIC", "any login",
        "revoked from PUBLIC, granted by name; the few that are not are listed in the test")
def public_functions(w):
    root = w.connect("postgres")
    found = {row[0] for row in root.run("SELECT DISTINCT proname FROM pg_proc WHERE %s AND %s AND (prosecdef OR prolang = %s)"
                                         % (OURS, to_everybody(), IN_C))}
    rest = {name for name in found - GETTERS - CHECKED - TRIGGERS - PURE if not name.startswith(("sealed_", "to_sealed_"))}
    equal(rest, set())
    holds(len(found) > 30, "too few: %s" % found)
    equal(root.run("SELECT proname FROM pg_proc WHERE prolang = (SELECT oid FROM pg_language WHERE lanname = 'c') AND probin ~ 'aegis' AND NOT (%s)" % OURS), [])


@attack("G2", "Have a SECURITY DEFINER function find an object of one's own, or run as somebody mighty", "any login",
        "search_path pinned; owned by `aegis_owner`, who cannot log in and is bound by row security")
def definers(w):
    root = w.connect("postgres")
    definer = "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_roles r ON r.oid = proowner WHERE prosecdef AND %s AND " % OURS
    equal(root.run(definer + "NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)"), [])
    equal(root.run(definer + "(rolname <> 'aegis_owner' OR rolsuper OR rolbypassrls OR rolcanlogin)"), [])
    holds(int(root.value("SELECT count(*) FROM pg_proc WHERE prosecdef AND %s" % OURS)) > 40, "too few to be all")
    # Names that are found at run time, in functions that are not SECURITY DEFINER but run inside ones that are.
    equal(root.run("SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_language l ON l.oid = prolang WHERE %s AND (lanname = 'plpgsql' OR"
                   " lanname = 'sql'"
                   " AND prosqlbody IS NULL) AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)" % OURS), [])


@attack("G3", "Use an attribute or a membership of a role", "any login", "roles of Aegis have no power and no member but whom you name")
def roles(w):
    root = w.connect("postgres")
    equal(root.run("SELECT rolname FROM pg_roles WHERE rolname ~ '^aegis_' AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR"
                   " rolreplication OR rolcanlogin)"), [])
    equal(root.run("SELECT roleid::regrole FROM pg_auth_members WHERE member::regrole::text ~ '^aegis_'"), [])
    equal(root.run("SELECT member::regrole FROM pg_auth_members WHERE roleid = 'aegis_owner'::regrole"), [])
    equal(root.run("SELECT roleid::regrole::text || ' ' || member::regrole::text FROM pg_auth_members WHERE roleid::regrole::text ~ '^pg_' AND"
                   " member::regrole::text"
                   " NOT IN ('pg_monitor')"), [])
    for grant in ("GRANT aegis_owner TO member", "GRANT aegis_owner TO postgres", "ALTER ROLE aegis_owner LOGIN",
                  "ALTER ROLE aegis_member BYPASSRLS"):
        refuses(root, "AG010", grant)


@attack("G4", "Change a setting, or inherit a default privilege", "any login", "no parameter is granted, no default privilege stands")
def parameters(w):
    root = w.connect("postgres")
    equal(root.run("SELECT parname FROM pg_parameter_acl"), [])
    equal(root.run("SELECT defaclrole::regrole FROM pg_default_acl"), [])
    equal(root.run("SELECT name, context FROM pg_settings WHERE name LIKE 'aegis.%' AND context IN ('user', 'backend', 'superuser-backend')"), [])
    equal(root.run("SELECT name FROM pg_settings WHERE name ~ '^debug_print' AND context = 'user'"), [])


@attack("G5", "Have a function run before row security that is called leakproof", "any login",
        "only getters without arguments and the equality of searchable values are")
def leakproof(w):
    found = {row[0] for row in w.connect("postgres").run("SELECT proname FROM pg_proc WHERE proleakproof AND pronamespace <> 'pg_catalog'::regnamespace")}
    equal(found - GETTERS, {"sealed_email_eq", "sealed_keyword_eq", "sealed_phone_eq"})


@attack("G6", "Read or write a table of the extension's", "member, gateway, any login",
        "no tenant role has a right on any; what they may know, functions tell")
def tables(w):
    root = w.connect("postgres")
    granted = ("SELECT c.oid::regclass::text, a.privilege_type FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a"
               " WHERE c.relnamespace ="
               " 'aegis'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND (a.grantee = 0 OR a.grantee::regrole::text = ANY (%s))" % TENANTS)
    equal(root.run(granted), [])
    equal(root.run("SELECT attrelid::regclass, attname FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid IN (SELECT oid FROM pg_class WHERE"
                   " relnamespace ="
                   " 'aegis'::regnamespace)"), [])
    equal(root.run("SELECT relname FROM pg_class WHERE relnamespace = 'aegis_app'::regnamespace AND relkind IN ('r', 'p') AND NOT (relrowsecurity"
                   " AND relforcerowsecurity)"), [])
    equal(root.run("SELECT DISTINCT a.privilege_type FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'aegis_app'::regnamespace AND"
                   " a.grantee::regrole::text"
                   " = ANY (%s) AND a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')" % TENANTS), [])
    names = [row[0] for row in root.run("SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'aegis'::regnamespace AND relkind IN ('r', 'p')")]
    for login in ("member", "gateway", "plain", "keeper"):
        session = w.connect(login)
        for name in names:
            refuses(session, ("42501", "AG010"), "SELECT FROM " + name, "DELETE FROM " + name)


@attack("G7", "Use a policy that reads a table, names a role, or calls something else", "any login",
        "policies hold comparisons with getters and nothing else")
def policies(w):
    root = w.connect("postgres")
    ours = "polrelid IN (SELECT relation FROM aegis.protected_table)"
    equal(root.run("SELECT polrelid::regclass, polname FROM pg_policy WHERE %s AND (coalesce(polqual::text, '') || coalesce(polwithcheck::text,"
                   " '') ~ 'SUBLINK|RTE'"
                   " OR polroles <> '{0}')" % ours), [])
    called = {row[0] for row in root.run("SELECT DISTINCT m[1] FROM pg_policy, regexp_matches(coalesce(polqual::text, '') ||"
                                         " coalesce(polwithcheck::text, ''),"
                                         " ':(?:op)?funcid (\\d+)', 'g') m WHERE " + ours)}
    names = {row[0] for row in root.run("SELECT oid::regproc::text FROM pg_proc WHERE oid IN (%s)" % ", ".join(called))}
    holds({"aegis.tenant_id", "uuid_eq"} <= names, "nothing was found: %s" % names)
    compares = ("uuid_eq", "uuid_ge", "uuid_le", "int8ge", "int8le", "int2eq", "int2ge", "int24eq", "int24ge", "texteq")
    # Whom the invoice of a link is for: it looks only in the context of a link, and then as that context may.
    looks = {"aegis_app.link_customer"}
    equal({name for name in names if not name.startswith("aegis.") and name not in compares} - looks, set())
    equal({name[6:] for name in names if name.startswith("aegis.")} - GETTERS, set())


@attack("G8", "Find a key that reaches across tenants", "any login", "`aegis.protect_table` refuses it; none is there")
def keys(w):
    root = w.connect("postgres")
    rows = root.run("SELECT c.conrelid::regclass::text, c.conname, c.contype, a.attname FROM pg_constraint c JOIN aegis.protected_table p ON"
                    " p.relation = c.conrelid"
                    " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE c.contype IN ('p', 'u', 'x', 'f')")
    holds(len(rows) > 12, "too few")
    equal([row for row in rows if row[3] != "tenant_id"], [])
    equal(root.run("SELECT indexrelid::regclass FROM pg_index i JOIN aegis.protected_table p ON p.relation = i.indrelid JOIN pg_attribute a ON"
                   " a.attrelid = i.indrelid"
                   " AND a.attnum = i.indkey[0] WHERE i.indisunique AND a.attname <> 'tenant_id'"), [])
    found = "SELECT finding, object FROM aegis.coverage() WHERE severity = 'high' AND object !~ '^(yard|looks|mighty|loop|shop.event_)' AND finding NOT IN ('fsync-off')"
    equal([row for row in root.run(found) if "yard" not in row[1]], [])


@attack("G9", "Make an object where others look for names", "member, plain login, owner",
        "nobody may create in the extension's schemas, nor PUBLIC in `public`")
def schemas(w):
    for login in ("plain", "keeper", "operator", "auditor"):
        refuses(w.connect(login), "42501", "CREATE TABLE aegis.x (a int)", "CREATE FUNCTION aegis.x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                "CREATE TABLE public.x (a int)",
                "CREATE FUNCTION aegis_app.tenant_id() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'", "CREATE SCHEMA x",
                "ALTER FUNCTION aegis.tenant_id() COST 1",
                "CREATE OR REPLACE FUNCTION aegis.tenant_id() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'", "DROP EXTENSION aegis CASCADE",
                "CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION aegis.note_ddl()")
        refuses(w.connect(login), "AG006", "ALTER EXTENSION aegis DROP FUNCTION aegis.tenant_id()")
    refuses(w.connect("member"), "AG010", "CREATE TABLE public.x (a int)", "CREATE SCHEMA x", "CREATE EXTENSION dblink")


@attack("G10", "Dump the database", "member, owner, plain login", "`pg_dump` is an error where row security holds, and without a context too")
def dump(w):
    program = os.path.join(os.getcwd(), ".aegis/pg/lib/postgresql/15/bin/pg_dump")
    for login in ("keeper", "plain", "member", "operator"):
        for more in ((), ("--enable-row-security",)):
            done = subprocess.run((program, "-h", w.place, "-U", login, "-d", "postgres", "-a", "-t", "shop.customer", *more), capture_output=True,
                                  check=False)
            holds(done.returncode != 0, "%s dumps %s" % (login, more))
            holds(CANARY.encode() not in done.stdout + done.stderr, "%s reads by pg_dump" % login)


@attack("G11", "Have the extension moved, or made anew with objects of one's own in the way", "owner, plain login",
        "it is not relocatable, belongs to one schema, adopts nothing")
def extension(w):
    root = w.connect("postgres")
    equal(root.run("SELECT relocatable, superuser, trusted, schema FROM pg_available_extension_versions WHERE name = 'aegis' AND installed"),
          [["f", "t", "f", "aegis"]])
    refuses(root, "0A000", "ALTER EXTENSION aegis SET SCHEMA public")
    equal(root.run("SELECT oid::regprocedure FROM pg_proc WHERE prolang = (SELECT oid FROM pg_language WHERE lanname = 'c') AND %s AND probin <>"
                   " '$libdir/aegis'" % OURS), [])
    equal(root.run("SELECT evtname FROM pg_event_trigger WHERE evtname ~ '^aegis' AND evtenabled <> 'A'"), [])
    holds(int(root.value("SELECT count(*) FROM pg_event_trigger WHERE evtname ~ '^aegis'")) == 2, "event triggers")


@attack("G12", "Publish, export or subscribe what belongs to tenants", "any login",
        "nothing is published, and no foreign server leads anywhere by itself")
def published(w):
    root = w.connect("postgres")
    for catalog in ("pg_publication", "pg_subscription", "pg_replication_slots", "pg_largeobject_metadata"):
        equal(root.run("SELECT count(*) FROM " + catalog), [["0"]], catalog)
    equal(root.run("SELECT srvname FROM pg_foreign_server WHERE srvname <> 'loop'"), [])
    holds(MINE in root.run("SELECT string_agg(slug, ' ') FROM aegis.tenant")[0][0], "there are no tenants")
