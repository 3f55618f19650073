#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks every relation and every function of a database, one by one, as the gateway's login.

    prompt.py SOCKET      the cluster has both extensions and a login "gateway"; prints ok and not ok lines"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
from libpq import Refused, Session  # noqa: E402

# docs/wall.md: what the login is for.
ENTRIES = {"aegis.handle", "aegis.health", "aegis.routes", "aegis.replica_state", "aegis.sign_in", "aegis.status", "aegis.tenant_home"}
# Not immutable by the catalog, and yet nothing but their arguments: PostgreSQL puts their bodies into the statement. Only the first
# adds something, today's date. The last makes what handlers answer, and anybody may call it.
HARMLESS = {"age(timestamp without time zone)", "quote_literal(anyelement)", "quote_nullable(anyelement)", "textanycat(text,anynonarray)",
            "anytextcat(anynonarray,text)", "aegis.respond(integer,jsonb,jsonb,bytea)"}
DENIED = {"42501", "AG010", "AG009", "AG001"}

RELATIONS = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 't') ORDER BY 1
"""
# Arguments come from two rows of NULLs, so that nothing is computed while planning and strictness skips no check.
FUNCTIONS = """
SELECT p.oid::regprocedure, format('%I.%I', n.nspname, p.proname), p.prokind, p.provolatile,
       coalesce((SELECT string_agg('NULL::' || CASE t.typname
                 WHEN 'any' THEN 'int' WHEN 'anyelement' THEN 'int' WHEN 'anynonarray' THEN 'int' WHEN 'anycompatible' THEN 'int'
                 WHEN 'anycompatiblenonarray' THEN 'int' WHEN 'anyarray' THEN 'int[]' WHEN 'anycompatiblearray' THEN 'int[]'
                 WHEN 'anyenum' THEN 'public.mood' WHEN 'anyrange' THEN 'int4range' WHEN 'anycompatiblerange' THEN 'int4range'
                 WHEN 'anymultirange' THEN 'int4multirange' WHEN 'anycompatiblemultirange' THEN 'int4multirange'
                 WHEN 'record' THEN 'public.pair' WHEN 'record[]' THEN 'public.pair[]' WHEN '_record' THEN 'public.pair[]'
                 ELSE format_type(t.oid, NULL) END || ' AS a' || a.place, ', ' ORDER BY a.place)
          FROM unnest(p.proargtypes) WITH ORDINALITY a(type, place) JOIN pg_type t ON t.oid = a.type), ''),
       coalesce((SELECT string_agg('a' || place, ', ' ORDER BY place) FROM generate_series(1, p.pronargs) place), ''),
       coalesce((SELECT bool_or(a.type = 'internal'::regtype) FROM unnest(p.proargtypes) a(type)), false)
         OR p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) AS unreachable,
       a.aggkind IN ('o', 'h') AS ordered, p.provariadic <> 0 AND p.provariadic <> '"any"'::regtype AS variadic
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid ORDER BY 1::text
"""


def answers(session, statement):
    """None when the wall or a privilege refused; otherwise what came instead."""
    try:
        session.run(statement)
        return "answered"
    except Refused as refused:
        return None if refused.state in DENIED else str(refused)


def call(function, arguments, names, kind, ordered, variadic):
    if variadic:    # the array that the last arguments are gathered in
        names = ", ".join([*names.split(", ")[:-1], "VARIADIC " + names.split(", ")[-1]])
    rows = "(SELECT %s UNION ALL SELECT %s) v" % (arguments or "1 AS a0", arguments or "1")
    if kind == "p":
        return "CALL %s(%s)" % (function, ", ".join(a.split(" AS ")[0] for a in arguments.split(", ")) if arguments else "")
    if kind == "a" and ordered:
        return "SELECT %s(%s) WITHIN GROUP (ORDER BY %s) FROM %s" % (function, "", names, rows)
    if kind == "a" and not arguments:
        return "SELECT %s(*) FROM %s" % (function, rows)
    over = " OVER ()" if kind == "w" else ""
    return "SELECT %s(%s)%s FROM %s" % (function, names, over, rows)


def report(name, wrong, seen):
    """One line; wrong are those that answered."""
    print("%sok prompt/%s (%d)" % ("not " if wrong or not seen else "", name, seen))
    for line in wrong[:20]:
        print("  " + " ".join(line.split())[:300])
    return bool(wrong) or not seen


def relations(root, gateway):
    names = [row[0] for row in root.run(RELATIONS)]
    wrong = ["%s: %s" % (name, found) for name in names if (found := answers(gateway, "SELECT 1 FROM %s LIMIT 1" % name))]
    wrong += ["%s, by TABLE: %s" % (name, found) for name in names[::40] if (found := answers(gateway, "TABLE %s" % name))]
    return report("no relation answers", wrong, len(names))


def functions(root, gateway):
    entered, pure, refused, wrong, unreachable = set(), 0, 0, [], 0
    for signature, name, kind, volatility, arguments, names, hidden, ordered, variadic in root.run(FUNCTIONS):
        found = answers(gateway, call(name, arguments, names, kind, ordered == "t", variadic == "t"))
        if found is None:
            refused += 1
        elif signature in HARMLESS:
            pure += 1
        elif hidden == "t" or found.startswith("42725"):
            unreachable += 1    # takes what no statement can give
        elif name in ENTRIES:
            entered.add(name)
        elif volatility == "i" and name.startswith("pg_catalog."):
            pure += 1
        else:
            wrong.append("%s: %s" % (signature, found))
    failed = report("no function answers but those of the list", wrong, refused)
    print("  refused %d; computed from arguments alone %d; not callable by statements %d" % (refused, pure, unreachable))
    return report("the entry functions answer, each of them", sorted(ENTRIES - entered), len(entered)) or failed


def main(socket):
    with Session(socket, "postgres") as root, Session(socket, "gateway") as gateway:
        root.run("CREATE TYPE public.mood AS ENUM ('fine'); CREATE TYPE public.pair AS (a int, b int)")
        failed = relations(root, gateway)
        failed = functions(root, gateway) or failed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
