# SPDX-License-Identifier: Apache-2.0
"""Many clients write at once, in every way that a transaction can take, and each keeps a list of what the server acknowledged.

    storm.py fill SOCKET                              tenants, logins and a protected table
    storm.py run SOCKET CLIENTS SECONDS SEED FILE     the clients; FILE gets their lists. Without a server they stop
    storm.py resolve SOCKET FILE RESOLVED             ends what a crash left prepared, every second one with a commit
    storm.py check SOCKET FILE ...                    compares the lists with the table, the ledger and its seals
    storm.py calm SOCKET FILE                         likewise, where no server crashed: nothing at all may be lost. From then on
                                                      what FILE lists is sealed, and must outlive a crash

Half of the clients write for one tenant, half for any of 64. A number is written by one client once, or never: `committed` was
acknowledged, `lazily` too, with synchronous_commit off; `awaited` as well, and aegis.wait_sealed() has returned since; `undone` was not; `prepared` waits under a name; `unknown` was under way.
"""
import json
import os
import random
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))

from libpq import Refused, Session  # noqa: E402

TENANTS = 64
LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
# Serialisation failures and cancels; anything else is a finding. Without a server there is no state, or one of these.
EXPECTED = ("40001", "57014")
GONE = ("08006", "57P01", "57P02", "57P03")
CONTESTED = "UPDATE storm.contested SET n = n + 1 WHERE id = %d"


def fill(place):
    admin = Session(place, "postgres")
    admin.run("CREATE ROLE storm LOGIN IN ROLE aegis_operator; CREATE SCHEMA storm")
    admin.run("SELECT aegis.create_tenant('t' || n, 'Tenant ' || n) FROM generate_series(1, %d) n" % TENANTS)
    admin.run("CREATE TABLE storm.item (tenant_id uuid NOT NULL, id bigint NOT NULL, PRIMARY KEY (tenant_id, id));"
              "SELECT aegis.protect_table('storm.item'); CREATE TABLE storm.contested (id int PRIMARY KEY, n bigint NOT NULL);"
              "SELECT aegis.audit_table('storm.contested'); INSERT INTO storm.contested SELECT n, 0 FROM generate_series(1, 8) n;"
              "GRANT USAGE ON SCHEMA storm TO storm; GRANT ALL ON storm.item, storm.contested TO storm")
    admin.close()


class Client(threading.Thread):
    def __init__(self, place, number, clients, tenants, until, seed):
        super().__init__(daemon=True)
        self.random = random.Random(seed * 1000 + number)
        self.place, self.until, self.number = place, until, number
        self.tenants = tenants[:1] if number % 2 == 0 else tenants
        self.lazy = number % 4 == 3
        # A superuser, who writes for many tenants at once, and who is not charged and so may prepare.
        self.crossing = number % 4 == 1
        self.next = (seed * clients + number) * 1000000
        self.lists = {"committed": [], "lazily": [], "awaited": [], "undone": [], "unknown": [], "prepared": {}}
        self.wrong, self.transactions = [], 0

    def run(self):
        try:
            self.session = Session(self.place, "postgres" if self.crossing else "storm")
            if self.lazy:
                self.session.run("SET synchronous_commit = off")
            while time.monotonic() < self.until:
                self.transact()
                if self.lazy and self.random.random() < 0.2:
                    self.wait()
            self.session.close()
        except Refused as refused:
            if refused.state not in GONE:
                self.wrong.append(str(refused))
        except Exception as error:  # a thread must not end in silence
            self.wrong.append(repr(error))

    def wait(self):
        """A seal is on disk before anybody hears of it, and with it everything that it covers."""
        try:
            self.session.run("SELECT aegis.wait_sealed('60 s')")
        except Refused as refused:
            if refused.state not in EXPECTED:
                raise
            return
        self.lists["awaited"] += self.lists["lazily"]
        self.lists["lazily"] = []

    def insert(self, tenant):
        self.next += 1
        self.session.run(f"INSERT INTO storm.item VALUES ('{tenant}', {self.next})")
        return [self.next]

    def insert_many(self):
        chosen = self.random.sample(self.tenants, min(len(self.tenants), 4))
        first = self.next + 1
        self.next += len(chosen)
        self.session.run("INSERT INTO storm.item VALUES " + ", ".join(f"('{tenant}', {first + at})" for at, tenant in enumerate(chosen)))
        return list(range(first, self.next + 1))

    def work(self, tenant, kept, dropped):
        """The statements of one transaction."""
        kept += self.insert_many() if self.crossing else self.insert(tenant)
        for _ in range(self.random.choice((0, 0, 1, 3))):
            way = self.random.choice(("plain", "release", "back", "nested"))
            if way == "plain":
                kept += self.insert(tenant)
                continue
            self.session.run("SAVEPOINT a")
            inner = self.insert(tenant)
            if way == "nested":
                self.session.run("SAVEPOINT b")
                dropped += self.insert(tenant)
                self.session.run("ROLLBACK TO b")
            if way == "back":
                dropped += inner
                self.session.run("ROLLBACK TO a")
            else:
                kept += inner
                self.session.run("RELEASE a")
        if self.random.random() < 0.2:  # last, and one row only: the application's own deadlocks are not looked for
            self.session.run(CONTESTED % self.random.randint(1, 8))

    def transact(self):
        self.transactions += 1
        lists, kept, dropped = self.lists, [], []
        tenant = self.random.choice(self.tenants)
        started = self.next
        name = None
        try:
            self.session.run("BEGIN ISOLATION LEVEL " + self.random.choice(LEVELS))
            if not self.crossing:
                self.session.run(f"SELECT aegis.assume_tenant('{tenant}', 'storm', 'S-1', false)")
            self.work(tenant, kept, dropped)
            end = self.random.random()
            if end < 0.1:
                self.session.run("ROLLBACK")
                kept, dropped = [], kept + dropped
            elif end < 0.5 and self.crossing:
                name = f"storm_{self.next}"
                self.session.run(f"PREPARE TRANSACTION '{name}'")
            else:
                self.session.run("COMMIT")
        except Refused as refused:
            if refused.state in GONE:  # nobody knows; but what was rolled back to a savepoint is gone for certain
                lists["undone"] += dropped
                lists["unknown"] += [number for number in range(started + 1, self.next + 1) if number not in dropped]
                raise
            lists["undone"] += range(started + 1, self.next + 1)
            if refused.state not in EXPECTED:
                self.wrong.append(str(refused))
            self.session.run("ROLLBACK")
            return
        lists["undone"] += dropped
        if name is None:
            lists["lazily" if self.lazy else "committed"] += kept
        else:
            self.finish(name, kept)

    def finish(self, name, kept):
        """Ends a prepared transaction, now or, should the server go, whenever it is back."""
        commit = self.random.random() < 0.7
        self.lists["prepared"][name] = kept
        while True:
            try:
                self.session.run(f"{'COMMIT' if commit else 'ROLLBACK'} PREPARED '{name}'")
                break
            except Refused as refused:
                if refused.state not in EXPECTED:
                    raise
        del self.lists["prepared"][name]
        self.lists[("lazily" if self.lazy else "committed") if commit else "undone"] += kept


def cancel(place, until):
    """Cancels whatever runs, at random."""
    try:
        admin = Session(place, "postgres")
        while time.monotonic() < until:
            admin.run("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename IN ('storm', 'postgres') AND state = 'active'"
                      " AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2")
            time.sleep(0.05)
        admin.close()
    except Refused:
        pass


def run(place, clients, seconds, seed, path):
    admin = Session(place, "postgres")
    tenants = [row[0] for row in admin.run("SELECT id FROM aegis.tenant WHERE slug LIKE 't%' ORDER BY id")]
    admin.close()
    until = time.monotonic() + seconds
    threads = [Client(place, number, clients, tenants, until, seed) for number in range(clients)]
    helper = threading.Thread(target=cancel, args=(place, until), daemon=True)
    for thread in threads + [helper]:
        thread.start()
    for thread in threads:
        thread.join(seconds + 60)
    stuck = [thread.number for thread in threads if thread.is_alive()]
    with open(path, "w", encoding="utf-8") as file:
        json.dump([thread.lists for thread in threads], file)
    wrong = [f"client {thread.number}: {text}" for thread in threads for text in thread.wrong] + [f"client {number} hangs" for number in stuck]
    print(f"{sum(thread.transactions for thread in threads)} transactions", *wrong[:10], sep="\n")
    return bool(wrong)


def resolve(place, path, resolved):
    """Prepared transactions outlive a crash; their locks would be in the way of what comes next."""
    admin = Session(place, "postgres")
    with open(path, encoding="utf-8") as file:
        prepared = {name: numbers for entry in json.load(file) for name, numbers in entry["prepared"].items()}
    lists = {"committed": [], "lazily": [], "awaited": [], "undone": [], "unknown": [], "prepared": {}}
    waiting = sorted(row[0] for row in admin.run("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"))
    for at, name in enumerate(waiting):
        admin.run(f"{'COMMIT' if at % 2 else 'ROLLBACK'} PREPARED '{name}'")
        lists["committed" if at % 2 else "undone"] += prepared.get(name, [])
    with open(resolved, "w", encoding="utf-8") as file:
        json.dump([lists], file)


def check(place, paths, calm=False):
    admin = Session(place, "postgres")
    lists = [entry for path in paths for entry in json.load(open(path, encoding="utf-8"))]
    sets = {kind: {number for entry in lists for number in entry[kind]} for kind in ("committed", "lazily", "awaited", "undone", "unknown")}
    sets["unknown"] |= {number for entry in lists for numbers in entry["prepared"].values() for number in numbers}
    admin.run("SELECT aegis.wait_sealed('60 s')")
    rows = {int(row[0]) for row in admin.run("SELECT id FROM storm.item")}
    entries = admin.run("SELECT (image -> 'key' ->> 'id')::bigint, tenant_id, seal IS NOT NULL FROM aegis.audit_log"
                        " WHERE event = 'row.changed' AND image ->> 'relation' = 'storm.item'")
    numbers = [int(entry[0]) for entry in entries]
    owners = dict(admin.run("SELECT id, tenant_id FROM storm.item"))
    wrong = {
        "acknowledged and lost": sets["committed"] - rows,
        "acknowledged, sealed and lost": sets["awaited"] - rows,
        "acknowledged lazily and lost without a crash": sets["lazily"] - rows if calm else None,
        "nobody waited for a seal": not sets["awaited"],
        "undone and there": sets["undone"] & rows,
        "from nowhere": rows - sets["committed"] - sets["lazily"] - sets["awaited"] - sets["unknown"],
        "row without entry": rows - set(numbers),
        "entry without row": set(numbers) - rows,
        "recorded twice": len(numbers) - len(set(numbers)),
        "in another tenant's log": [entry for entry in entries if entry[0] in owners and owners[entry[0]] != entry[1]],
        "not sealed": [entry for entry in entries if entry[2] != "t"],
        "contested rows": admin.run("SELECT c.id FROM storm.contested c WHERE c.n <> (SELECT count(*) FROM aegis.audit_log a WHERE a.event = 'row.changed'"
                                    " AND a.image ->> 'relation' = 'storm.contested' AND a.image ->> 'operation' = 'U'"
                                    " AND (a.image -> 'key' ->> 'id')::int = c.id)"),
        "sealed twice": admin.run("SELECT s FROM aegis.seal_leaves, unnest(seqs) s GROUP BY s HAVING count(*) > 1"),
        "forks": admin.run("SELECT number FROM aegis.seal s WHERE previous <> coalesce((SELECT hash FROM aegis.seal p WHERE p.number = s.number - 1), '\\x"
                           + "00" * 32 + "')"),
        "logs of another size": admin.run("SELECT l.log FROM aegis.tenant_log l WHERE size <> (SELECT count(*) FROM aegis.entry e"
                                          " WHERE e.tenant_id IS NOT DISTINCT FROM l.tenant_id AND e.seq <= (SELECT max(x) FROM aegis.seal_leaves, unnest(seqs) x))"),
        "findings": admin.run("SELECT checked, subject, detail FROM aegis.verify_ledger() WHERE outcome <> 'ok'"),
        "deadlocks": admin.run("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database() AND deadlocks > 0")}
    wrong = {name: list(what)[:5] if hasattr(what, "__iter__") else what for name, what in wrong.items() if what}
    if calm and not wrong:
        for entry in lists:
            entry["awaited"], entry["lazily"] = entry["awaited"] + entry["lazily"], []
        with open(paths[0], "w", encoding="utf-8") as file:
            json.dump(lists, file)
    print(f"{len(rows)} rows, {len(sets['committed'])} acknowledged, {len(sets['lazily'])} lazily, {len(sets['awaited'])} lazily and sealed, {len(sets['undone'])} undone, "
          f"{len(sets['unknown'])} unknown", *wrong.items(), sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    if sys.argv[1:2] == ["fill"]:
        fill(sys.argv[2])
    elif sys.argv[1:2] == ["run"]:
        sys.exit(run(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]), sys.argv[6]))
    elif sys.argv[1:2] == ["resolve"]:
        resolve(*sys.argv[2:])
    elif sys.argv[1:2] == ["calm"]:
        sys.exit(check(sys.argv[2], [sys.argv[3]], calm=True))
    elif sys.argv[1:2] == ["check"]:
        sys.exit(check(sys.argv[2], sys.argv[3:]))
    else:
        sys.exit(__doc__)
