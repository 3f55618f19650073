# SPDX-License-Identifier: Apache-2.0
"""Every way to change a table. Each is undone, and gives what it changed, or the error; beside it stands what the rule says."""
from libpq import Refused

RETURNING = {
    "UPDATE RETURNING": "UPDATE {t} t SET {m} = 'm' RETURNING {k}",
    "UPDATE in WITH": "WITH done AS (UPDATE {t} t SET {m} = 'm' RETURNING {k}) SELECT * FROM done",
    "UPDATE FROM": "UPDATE {t} t SET {m} = 'm' FROM (VALUES (1), (2)) v(n) WHERE v.n = 1 RETURNING {k}",
}
# Those leave a mark, which is looked for afterwards by SELECT.
MARKING = {
    "UPDATE": "UPDATE {t} SET {m} = 'm'",
    "UPDATE ONLY": "UPDATE ONLY {t} SET {m} = 'm'",
    "UPDATE WHERE true": "UPDATE {t} SET {m} = 'm' WHERE tenant_id IS NOT NULL OR true",
    "MERGE UPDATE": "MERGE INTO {t} t USING (VALUES (1)) v ON true WHEN MATCHED THEN UPDATE SET {m} = 'm'",
}
OWN_MARKING = {
    "UPDATE of a security_invoker view": "UPDATE ways.invoker_{s} SET {m} = 'm'",
    "UPDATE of the owner's view": "UPDATE ways.owner_{s} SET {m} = 'm'",
    "UPDATE by a function": "SELECT ways.mark_{s}('m')",
}
DELETING = {
    "DELETE": "DELETE FROM {t}",
    "DELETE USING": "DELETE FROM {t} USING (VALUES (1)) v(n)",
    "DELETE of a security_invoker view": "DELETE FROM ways.invoker_{s}",
    "DELETE of the owner's view": "DELETE FROM ways.owner_{s}",
    "MERGE DELETE": "MERGE INTO {t} t USING (VALUES (1)) v ON true WHEN MATCHED THEN DELETE",
    "DELETE RETURNING": "DELETE FROM {t} t RETURNING {k}",
}


def state_of(result):
    return result.state if isinstance(result, Refused) else result


def marks(session, table, text):
    """The keys that carry the mark afterwards, together with the number that the server counted."""
    session.run(text)
    affected = session.affected
    found = [row[0] for row in session.run("SELECT %s FROM %s t WHERE t.%s::text IS NOT NULL" % (table.key, table.name, table.mark))]
    return set(found) if text.startswith("SELECT") or affected == len(found) else "%d counted, %d marked" % (affected, len(found))


def gone(session, table, text, before):
    """The keys that this left no more, together with the number that the server counted."""
    rows = session.run(text)
    affected = session.affected
    if "RETURNING" in text:
        return {row[0] for row in rows}
    left = {row[0] for row in session.run("SELECT %s FROM %s t" % (table.key, table.name))}
    return before - left if affected == len(before - left) else "%d counted, %d gone" % (affected, len(before - left))


class Writes:
    """The attempts of one actor at one table; others() are rows that the actor must not reach."""

    def __init__(self, rule, actor, session, table, rows, report):
        self.rule, self.actor, self.session, self.table, self.rows, self.report = rule, actor, session, table, rows, report
        self.mine = {row.key for row in rows if rule.may_write(actor, row, table)}
        self.names = {"t": table.name, "s": table.short, "k": table.key, "m": table.mark}
        self.error = "AG001" if actor.tenant is None else "25006" if actor.read_only else None

    def check(self, name, call, wanted):
        got = state_of(self.session.attempt(call))
        self.report(self.table, name, self.actor, got, self.error or wanted)

    def run(self, few=False):
        session, table = self.session, self.table
        updates = {"UPDATE": MARKING["UPDATE"]} if few else {**MARKING, **(OWN_MARKING if table.own else {})}
        if table.mark:
            for name, text in updates.items():
                self.check(name, lambda text=text: marks(session, table, text.format(**self.names)),
                           set() if table.hollow and name == "UPDATE ONLY" else self.mine)
            for name, text in {} if few else RETURNING.items() if not few else ():
                self.check(name, lambda text=text: {row[0] for row in session.run(text.format(**self.names))}, self.mine)
        if not table.own:
            return
        for name, text in ({"DELETE": DELETING["DELETE"]} if few else DELETING).items():
            self.check(name, lambda text=text: gone(session, table, text.format(**self.names), self.mine), self.mine)
        if not few:
            self.current_of()
        if table.short == "page":
            self.page()
        else:
            self.insert(few)
            if not table.inherited:
                self.upsert(few)
        self.change_hands()
        if not few and table.team and table.short != "page":
            self.move()

    def current_of(self):
        def step():
            self.session.run("DECLARE c CURSOR FOR SELECT * FROM %s FOR UPDATE" % self.table.name)
            changed = set()
            while self.session.run("FETCH c"):
                changed |= {row[0] for row in self.session.run("UPDATE %s t SET note = 'm' WHERE CURRENT OF c RETURNING %s"
                                                              % (self.table.name, self.table.key))}
            return changed
        self.check("UPDATE WHERE CURRENT OF", step, self.mine)

    def forged(self):
        """Columns and values that claim another tenant, creator and team."""
        other = next((row for row in self.rows if row.tenant != self.actor.tenant), self.rows[0])
        columns, values = ["tenant_id", "id"], ["'%s'" % other.tenant, "9999"]
        if self.table.created_by:
            columns, values = columns + ["created_by"], values + ["'%s'" % other.creator]
        if self.table.team:
            columns, values = columns + ["team_ord"], values + ["5"]
        return ", ".join(columns), ", ".join(values)

    def insert(self, few):
        actor, table = self.actor, self.table
        shown = "tenant_id, %s, %s" % ("created_by" if table.created_by else "NULL", "team_ord" if table.team else "NULL")
        wanted = [[actor.tenant, actor.user if table.created_by else None, actor.team if table.team else None]]
        columns, values = self.forged()
        self.check("INSERT of a forged row", lambda: self.session.run("INSERT INTO %s (%s) VALUES (%s) RETURNING %s" % (
            table.name, columns, values, shown)), wanted)
        if few:
            return
        self.check("INSERT SELECT", lambda: self.session.run("INSERT INTO %s (%s) SELECT %s RETURNING %s" % (
            table.name, columns, values, shown)), wanted)
        for view in ("invoker", "owner"):
            self.check("INSERT into a view (%s)" % view, lambda view=view: self.session.run("INSERT INTO ways.%s_%s (%s) VALUES (%s) RETURNING %s" % (
                view, table.short, columns, values, shown)), wanted)

        def merged():
            self.session.run("MERGE INTO %s t USING (VALUES (1)) v ON false WHEN NOT MATCHED THEN INSERT (%s) VALUES (%s)" % (
                table.name, columns, values))
            return self.session.run("SELECT %s FROM %s WHERE id = 9999" % (shown, table.name))
        self.check("MERGE INSERT", merged, wanted)
        # A read-only transaction and a missing context are found only after the format of the command.
        got = state_of(self.session.attempt(lambda: self.session.run("COPY %s (id) FROM STDIN" % table.name)))
        self.report(table, "COPY FROM", actor, got in ("0A000", self.error), True)

    def upsert(self, few):
        """Numbers of every row there is: an own one is changed, a hidden one of the tenant refused, another tenant's never met."""
        table, actor = self.table, self.actor
        numbers = sorted({row.key.split("/")[1] for row in self.rows}, key=int)
        for number in numbers[:3] if few else numbers:
            key = "%s/%s" % (actor.tenant, number)
            wanted = [["m"]] if key in self.mine else "42501" if key in {row.key for row in self.rows} else [[None]]
            self.check("INSERT ON CONFLICT DO UPDATE", lambda number=number: self.session.run(
                "INSERT INTO %s (id) VALUES (%s) ON CONFLICT (tenant_id, id) DO UPDATE SET note = 'm' RETURNING note" % (table.name, number)), wanted)
            if not few:
                self.check("INSERT ON CONFLICT DO NOTHING", lambda number=number: len(self.session.run(
                    "INSERT INTO %s (id) VALUES (%s) ON CONFLICT DO NOTHING RETURNING id" % (table.name, number))), 1 if wanted == [[None]] else 0)

    def page(self):
        """A row of a parent: only under a parent that the actor sees, whose creator and team it takes."""
        for document in sorted({row.key.split("/")[1] for row in self.rows}, key=int):
            parents = {(row.creator, row.team) for row in self.rows if row.tenant == self.actor.tenant
                       and row.key.split("/")[1] == document and self.rule.visible(self.actor, row, self.table)}
            self.check("INSERT below a parent", lambda document=document: [tuple(row) for row in self.session.run(
                "INSERT INTO shop.page (document_id, id, team_ord) VALUES (%s, 9, 5) RETURNING created_by, team_ord" % document)],
                list(parents) or "23503")

    def change_hands(self):
        """Tenant and creator stay, whoever asks. A page's creator is its document's again."""
        table = self.table
        other = next(row.tenant for row in self.rows if row.tenant != self.actor.tenant)
        self.check("UPDATE of the tenant", lambda: self.session.run("UPDATE %s SET tenant_id = '%s'" % (table.name, other)),
                   "42501" if self.mine else [])
        if table.created_by and table.short != "page":
            self.check("UPDATE of the creator", lambda: self.session.run("UPDATE %s SET created_by = '%s'" % (table.name, other)),
                       "42501" if self.mine else [])

    def move(self):
        for team in (t for t in self.rule.by_id.values() if t.tenant == self.actor.tenant):
            for row in (r for r in self.rows if r.key in self.mine):
                wanted = 1 if self.rule.may_move(self.actor, row, self.table, team.number) else "42501"

                def attempt(row=row, team=team):
                    self.session.run("UPDATE %s t SET team_ord = %s WHERE %s = '%s'" % (self.table.name, team.number, self.table.key, row.key))
                    return self.session.affected
                self.check("UPDATE of the team", attempt, wanted)
