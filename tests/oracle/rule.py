# SPDX-License-Identifier: Apache-2.0
"""Who may see and change which rows, from the documentation alone: docs/context.md, docs/protect.md, docs/team.md.

Nothing here knows ranges, policies or getters: teams are a tree of parents, and a superuser's dump says what rows there are."""
from dataclasses import dataclass

NOBODY = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Team:
    tenant: str
    id: str
    parent: str
    number: str


@dataclass(frozen=True)
class Actor:
    name: str
    login: str           # whom the session is
    enter: str           # the statement that takes the context, or nothing
    tenant: str = None
    user: str = NOBODY   # an operator writes rows of nobody
    rank: int = 4
    team: str = None     # its number
    read_only: bool = False


@dataclass(frozen=True)
class Table:
    name: str
    keys: tuple
    created_by: bool = True
    team: bool = True
    mark: str = None     # a column that members may write, NULL for as long as nobody has
    own: bool = True     # of this test, so that every command is granted
    hollow: bool = False  # all its rows are in partitions or children, so ONLY finds none
    inherited: bool = False  # its unique keys do not reach its children
    least: int = 1       # the rank from which on its rows are shown

    @property
    def key(self):
        return " || '/' || ".join("t.%s::text" % k for k in self.keys)

    @property
    def short(self):
        return self.name.split(".")[1]


@dataclass(frozen=True)
class Row:
    key: str
    tenant: str
    creator: str
    team: str


class Rule:
    def __init__(self, teams):
        self.by_number = {(t.tenant, t.number): t for t in teams}
        self.by_id = {(t.tenant, t.id): t for t in teams}

    def within(self, tenant, number, above):
        """Is the team the one above, or anywhere below it?"""
        team = self.by_number[tenant, number]
        while team.number != above:
            if team.parent is None:
                return False
            team = self.by_id[tenant, team.parent]
        return True

    def visible(self, actor, row, table):
        if actor.tenant is None or row.tenant != actor.tenant or actor.rank < table.least:
            return False
        if actor.rank == 1:
            return not table.created_by or row.creator == actor.user
        if actor.rank == 2:
            return not table.team or row.team == actor.team
        if actor.rank == 3:
            return not table.team or self.within(row.tenant, row.team, actor.team)
        return True

    def may_write(self, actor, row, table):
        return not actor.read_only and self.visible(actor, row, table)

    def may_move(self, actor, row, table, number):
        """May the row be given to the team with this number?"""
        if not self.may_write(actor, row, table):
            return False
        if row.team == number:
            return True
        if actor.rank == 2:
            return number == actor.team
        return actor.rank > 2 and (actor.rank == 4 or self.within(row.tenant, number, actor.team))

    def seen(self, actor, rows, table):
        return {row.key for row in rows if self.visible(actor, row, table)}
