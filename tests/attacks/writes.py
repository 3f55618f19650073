# SPDX-License-Identifier: Apache-2.0
"""By writing: into another tenant, over its rows, or into what it will trip over."""
from catalogue import attack, equal, holds, refuses
from world import CANARY, HIT, HIT_MAIL, MINE, THEIRS


def theirs(w, table="shop.customer", columns="id, email, note, tenant_id"):
    """Everything of the other tenant, as a superuser sees it."""
    return w.connect("postgres").run("SELECT %s FROM %s WHERE tenant_id = '%s' ORDER BY id" % (columns, table, w.tenant[THEIRS]))


@attack("W1", "Give a row to another tenant", "member", "the tenant is stamped from the context, and a change of it refused")
def donate(w):
    before = theirs(w)
    session = w.enter("hera")
    equal(session.run("INSERT INTO shop.customer (tenant_id, id) VALUES ('%s', 700) RETURNING tenant_id" % w.tenant[THEIRS]), [[w.tenant[MINE]]])
    refuses(session, "42501", "UPDATE shop.customer SET tenant_id = '%s'" % w.tenant[THEIRS],
            "UPDATE shop.own_view SET tenant_id = '%s' WHERE id = 1" % w.tenant[THEIRS],
            "MERGE INTO shop.customer t USING (VALUES (1)) v(id) ON t.id = v.id WHEN MATCHED THEN UPDATE SET tenant_id = '%s'" % w.tenant[THEIRS],
            "INSERT INTO shop.customer (id) VALUES (1) ON CONFLICT (tenant_id, id) DO UPDATE SET tenant_id = '%s'" % w.tenant[THEIRS],
            "UPDATE shop.customer SET created_by = '%s'" % w.user["mona"])
    session.run("COMMIT")
    equal(theirs(w), before)
    session.run("BEGIN; %s; DELETE FROM shop.customer WHERE id = 700; COMMIT" % w.context("hera"))


@attack("W2", "Change or delete another tenant's rows by their keys", "member", "policies for each command")
def by_key(w):
    before = [theirs(w, table, "id, tenant_id, note") for table in ("shop.customer", "shop.sale", "shop.line")]
    session = w.enter("hera")
    for sql in ("UPDATE shop.customer SET note = 'x' WHERE id = 500", "DELETE FROM shop.customer WHERE id = 500",
                "UPDATE shop.customer SET note = 'x' WHERE tenant_id = '%s'" % w.tenant[THEIRS],
                "DELETE FROM shop.customer WHERE note = '%s'" % CANARY,
                "MERGE INTO shop.customer t USING (VALUES (500)) v(id) ON t.id = v.id WHEN MATCHED THEN DELETE",
                "MERGE INTO shop.customer t USING (VALUES ('%s'::uuid)) v(t) ON t.tenant_id = v.t WHEN MATCHED THEN UPDATE SET note = 'x'" % w.tenant[THEIRS],
                "WITH x AS (DELETE FROM shop.sale WHERE customer_id = 500 RETURNING *) SELECT FROM x",
                "UPDATE shop.own_view SET note = 'x' WHERE id = 500"):
        answer = session.ask(sql)
        equal(answer.state, "", sql)
        holds(answer.tags[0].endswith(" 0"), "%s: %s" % (sql, answer.tags))
    session.run("COMMIT")
    equal([theirs(w, table, "id, tenant_id, note") for table in ("shop.customer", "shop.sale", "shop.line")], before)


@attack("W3", "Meet another tenant's row in ON CONFLICT or MERGE", "member", "keys begin with the tenant, so there is nothing to meet")
def conflict(w):
    before = theirs(w)
    session = w.enter("hera")
    equal(session.run("INSERT INTO shop.customer (id, note) VALUES (%s, 'new') ON CONFLICT (tenant_id, id) DO UPDATE SET note = shop.customer.note"
                      " RETURNING note, tenant_id" % HIT), [["new", w.tenant[MINE]]])
    equal(session.run("INSERT INTO shop.customer (id, email) VALUES (701, '%s') ON CONFLICT (tenant_id, email) DO UPDATE SET note = shop.customer.note"
                      " RETURNING id, note" % HIT_MAIL), [["701", None]])
    equal(session.ask("MERGE INTO shop.customer t USING (VALUES (501)) v(id) ON t.id = v.id WHEN MATCHED THEN UPDATE SET note = t.note"
                      " WHEN NOT MATCHED THEN INSERT (id) VALUES (v.id)").tags, ["MERGE 1"])
    session.run("ROLLBACK")
    equal(theirs(w), before)


@attack("W4", "Write where a policy says WITH CHECK (true)", "member", "the restrictive wall checks what is written, too", falls=True)
def careless_write(w):
    session = w.enter("hera")
    refuses(session, "42501", "INSERT INTO yard.careless VALUES ('%s', 1, 'x')" % w.tenant[THEIRS],
            "UPDATE yard.careless SET tenant_id = '%s'" % w.tenant[THEIRS])
    equal(session.ask("DELETE FROM yard.careless WHERE id = 500").tags, ["DELETE 0"])


@attack("W5", "Copy in past row security, or out with it", "member, plain login",
        "PostgreSQL refuses to copy in; what is copied out is filtered; no files")
def copy(w):
    session = w.enter("hera")
    refuses(session, "0A000", "COPY shop.customer FROM STDIN", "COPY shop.customer (tenant_id, id) FROM STDIN (FORMAT binary)")
    refuses(session, "AG010", "COPY shop.customer TO '/tmp/x'", "COPY shop.customer FROM '/etc/passwd'", "COPY shop.customer TO PROGRAM 'cat'")
    equal({row[3] for row in session.run("COPY shop.customer TO STDOUT")}, {"own"})
    refuses(w.connect("plain"), "42501", "COPY shop.customer TO '/tmp/x'", "COPY shop.customer TO PROGRAM 'cat'")
    refuses(w.connect("plain"), ("0A000", "AG001"), "COPY shop.customer FROM STDIN")


@attack("W6", "Empty the table for all", "member, owner, plain login", "a trigger, whatever was granted")
def truncate(w):
    root = w.connect("postgres")
    root.run("GRANT TRUNCATE ON shop.booking, shop.customer TO member, plain")
    for login in ("member", "plain", "keeper", "postgres"):
        session = w.connect(login)
        refuses(session, "AG010", "TRUNCATE shop.booking", "TRUNCATE ONLY shop.booking RESTART IDENTITY")
        refuses(session, ("AG010", "42501"), "TRUNCATE shop.customer CASCADE")
    refuses(w.enter("hera"), "AG010", "TRUNCATE shop.booking")
    root.run("REVOKE TRUNCATE ON shop.booking, shop.customer FROM member, plain")


@attack("W7", "Reference the table from one of one's own", "member with REFERENCES", "no table of one's own; [coverage](coverage.md) names the grant")
def references(w):
    root = w.connect("postgres")
    root.run("GRANT REFERENCES ON shop.customer TO member; GRANT CREATE ON SCHEMA yard TO member")
    refuses(w.enter("hera"), "AG010", "CREATE TABLE yard.probe (t uuid, id int, FOREIGN KEY (t, id) REFERENCES shop.customer)",
            "CREATE TEMP TABLE probe (t uuid, id int)", "SELECT 1 AS id INTO yard.probe",
            "ALTER TABLE yard.copy ADD FOREIGN KEY (tenant_id, id) REFERENCES shop.customer")
    found = {row[0] for row in root.run("SELECT finding FROM aegis.coverage() WHERE object ~ 'shop.customer|yard'")}
    holds({"grant-beyond-rows", "grant-create"} <= found, "coverage names only %s" % sorted(found))
    root.run("REVOKE REFERENCES ON shop.customer FROM member; REVOKE CREATE ON SCHEMA yard FROM member")


@attack("W8", "Catch what others write by a trigger of one's own", "plain login with TRIGGER",
        "default deny, for every place without row security; for others nothing: TRIGGER is trust, and [coverage](coverage.md) names the grant")
def trigger(w):
    root = w.connect("postgres")
    root.run("CREATE SCHEMA trap AUTHORIZATION plain; GRANT TRIGGER ON shop.booking TO plain")
    plain = w.connect("plain")
    caught = "CREATE OR REPLACE FUNCTION trap.catch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN %s; RETURN NEW; END$$"
    plain.run("CREATE TABLE trap.caught (tenant_id uuid, seen text); GRANT ALL ON trap.caught TO PUBLIC; GRANT USAGE ON SCHEMA trap TO PUBLIC;"
              + caught % "INSERT INTO trap.caught VALUES (NEW.tenant_id, NEW::text)"
              + ";CREATE TRIGGER catch AFTER INSERT ON shop.booking FOR EACH ROW EXECUTE FUNCTION trap.catch()")
    write = "INSERT INTO shop.booking (id, room, during) VALUES (9, 9, '[1,2)')"
    try:
        refuses(w.enter("mona"), "AG009", write)
        for body in ("PERFORM pg_notify('trap', NEW::text)", "PERFORM set_config('trap.caught', NEW::text, false)",
                     "CREATE TEMP TABLE caught AS SELECT NEW::text", "PERFORM lo_from_bytea(0, NEW::text::bytea)"):
            plain.run(caught % body)
            refuses(w.enter("mona"), "AG010", write)
        equal(plain.run("TABLE trap.caught"), [])
        # A table with row security of the trigger's maker, who takes it away again afterwards.
        plain.run("ALTER TABLE trap.caught ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON trap.caught USING (true);"
                  + caught % "INSERT INTO trap.caught VALUES (NEW.tenant_id, NEW::text)")
        w.enter("mona").run(write + "; COMMIT")
        refuses(plain, "AG001", "TABLE trap.caught")
        plain.run("ALTER TABLE trap.caught NO FORCE ROW LEVEL SECURITY")
        holds(len(plain.run("TABLE trap.caught")) == 1, "is stopped by now: say so")
        equal(root.run("SELECT object FROM aegis.coverage() WHERE finding = 'grant-of-code'"), [["shop.booking"]])
    finally:
        root.run("DROP SCHEMA trap CASCADE; REVOKE TRIGGER ON shop.booking FROM plain; DELETE FROM shop.booking WHERE id = 9")


@attack("W9", "Lock others out", "member", "the guard of statements; keys begin with the tenant, so no one waits for another's row", falls=True)
def locks(w):
    refuses(w.enter("hera"), "AG010", "LOCK TABLE shop.customer", "LOCK shop.customer IN ACCESS SHARE MODE")
    holder = w.enter("mona")
    holder.run("SELECT FROM shop.customer FOR UPDATE; UPDATE shop.customer SET note = note; INSERT INTO shop.customer (id, email) VALUES (990,"
               " 'wait@x.example')")
    other = w.enter("hera")
    other.run("SET LOCAL lock_timeout = '300ms'")
    for sql in ("SELECT FROM shop.customer FOR UPDATE", "UPDATE shop.customer SET note = note",
                "INSERT INTO shop.customer (id, email) VALUES (990, 'wait@x.example')",
                "INSERT INTO shop.customer (id) VALUES (500)", "DELETE FROM shop.customer WHERE id = 500",
                "INSERT INTO shop.sale (id, customer_id) VALUES (990, 1)"):
        equal(other.state(sql), "", sql)


@attack("W10", "Take the parent away from another tenant's rows, or have it take them along", "member",
        "foreign keys pair the tenant with the tenant")
def cascade(w):
    before = theirs(w, "shop.sale", "id, customer_id")
    session = w.enter("hera")
    # A parent of the same number as theirs, gone again: a key without its tenant would take their rows along.
    session.run("INSERT INTO shop.customer (id) VALUES (500), (501); DELETE FROM shop.customer WHERE id IN (500, 501); COMMIT")
    equal(theirs(w, "shop.sale", "id, customer_id"), before)
    holds(len(before) == 10, "there is nothing to take")


@attack("W11", "Change one's rights in the middle of a statement, or race their removal", "member",
        "the context is fixed at the start of the transaction, and policies read no table")
def race(w):
    session = w.enter("ada")
    session.run("DECLARE c CURSOR FOR SELECT note FROM shop.customer ORDER BY id; FETCH 2 FROM c")
    operator = w.assume(MINE)
    operator.run("SELECT aegis.set_rank('%s', 4::smallint); COMMIT" % w.user["ada"])
    equal(session.value("SELECT count(*) FROM shop.customer"), "10")
    equal(len(session.run("FETCH ALL FROM c")), 8)
    session.run("COMMIT")
    w.sign_in("ada")
    equal(w.enter("ada").value("SELECT count(*) FROM shop.customer"), "20")
    operator = w.assume(MINE)
    team = operator.value("SELECT id FROM aegis.teams() WHERE name = 'ada'")
    operator.run("SELECT aegis.set_rank('%s', 1::smallint); SELECT aegis.move_user('%s', '%s'); COMMIT" % (w.user["ada"], w.user["ada"], team))
    w.sign_in("ada")
    equal(w.enter("ada").value("SELECT count(*) FROM shop.customer"), "10")


@attack("W12", "Have only restrictive policies, and believe to be protected", "owner",
        "such a table shows nothing; `aegis.protect_table` makes one permissive policy for each command")
def restrictive_only(w):
    equal(w.enter("hera").value("SELECT count(*) FROM yard.strict"), "0")
    equal(w.connect("postgres").run("SELECT polcmd, count(*) FROM pg_policy WHERE polrelid = 'shop.customer'::regclass AND polpermissive GROUP BY"
                                    " 1 ORDER BY 1"),
          [["a", "1"], ["d", "1"], ["r", "1"], ["w", "1"]])


@attack("W13", "Have another tenant's ciphertext opened as one's own", "member, operator",
        "ciphertext is bound to its tenant and field; a CHECK refuses it in a row")
def ciphertext(w):
    root = w.connect("postgres")
    name, email = root.run("SELECT aegis.armor(name), aegis.armor(email) FROM aegis_app.customer WHERE tenant_id = '%s'" % w.tenant[THEIRS])[0]
    for session in (w.enter("hera"), w.assume(MINE)):
        refuses(session, "AG003", "SELECT aegis.reveal('%s'::aegis.sealed_text)" % name, "SELECT aegis.reveal('%s'::aegis.sealed_email)" % email)
        said = session.ask("SELECT aegis.legible('%s'::aegis.sealed_text), aegis.masked('%s'::aegis.sealed_text)" % (name, name))
        holds(CANARY.encode() not in said.raw, "legible opens it")
        session.run("ROLLBACK")
    session = w.enter("hera")
    refuses(session, ("AG003", "AG011", "23514"), "INSERT INTO aegis_app.customer (name) VALUES ('%s'::aegis.sealed_text)" % name,
            "UPDATE aegis_app.customer SET name = '%s'::aegis.sealed_text" % name,
            "UPDATE aegis_app.customer SET email = '%s'::aegis.sealed_email" % email)
    # Nor does the ciphertext's own search token meet the own tenant's.
    equal(session.value("SELECT count(*) FROM aegis_app.customer WHERE email = '%s'::aegis.sealed_email" % email), "0")


@attack("W14", "Write a row of another tenant by a trigger that fires after the stamp", "owner", "policies look at the row after all such triggers")
def late_trigger(w):
    owner = w.connect("keeper")
    owner.run("CREATE FUNCTION shop.late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.tenant_id := '%s'; RETURN NEW; END$$;"
              "CREATE TRIGGER zzzz BEFORE INSERT OR UPDATE ON shop.booking FOR EACH ROW EXECUTE FUNCTION shop.late()" % w.tenant[THEIRS])
    try:
        refuses(w.enter("hera"), "42501", "INSERT INTO shop.booking (id, room, during) VALUES (8, 8, '[1,2)')", "UPDATE shop.booking SET room = 8")
    finally:
        owner.run("DROP FUNCTION shop.late() CASCADE")


@attack("W15", "Ask by a reference from a table of one's own who is there", "plain login with REFERENCES",
        "nothing, who knows the tenant's id: REFERENCES is trust, and [coverage](coverage.md) names the grant")
def own_reference(w):
    root = w.connect("postgres")
    root.run("CREATE SCHEMA trap AUTHORIZATION plain; GRANT REFERENCES ON shop.customer TO plain")
    plain = w.connect("plain")
    try:
        plain.run("CREATE TABLE trap.probe (t uuid, id int, FOREIGN KEY (t, id) REFERENCES shop.customer)")
        equal(plain.state("INSERT INTO trap.probe VALUES ('%s', %s)" % (w.tenant[THEIRS], HIT)), "")
        equal(plain.state("INSERT INTO trap.probe VALUES ('%s', 900)" % w.tenant[THEIRS]), "23503")
        equal(root.run("SELECT object FROM aegis.coverage() WHERE finding = 'grant-of-code'"), [["shop.customer"]])
    finally:
        root.run("DROP SCHEMA trap CASCADE; REVOKE REFERENCES ON shop.customer FROM plain")


@attack("W16", "Have a value opened as another person's, or in another row", "member",
        "a bound value is sealed under its person's key, or with the key of its row; every mismatch is the same error")
def bound_ciphertext(w):
    root = w.connect("postgres")
    for sql in ("DROP TABLE IF EXISTS yard.vault", "DELETE FROM aegis.field WHERE name LIKE 'vault.%'",
                "CREATE TABLE yard.vault (tenant_id uuid, id int, person int, word text, pin text, free text, PRIMARY KEY (tenant_id, id))",
                "SELECT aegis.protect_table('yard.vault')", "SELECT aegis.encrypt_column('yard.vault', 'word', 'vault.word', subject => 'person')",
                "SELECT aegis.encrypt_column('yard.vault', 'pin', 'vault.pin', row_bound => true)",
                "SELECT aegis.encrypt_column('yard.vault', 'free', 'vault.free')", "GRANT SELECT, INSERT, UPDATE ON yard.vault TO member"):
        root.run(sql)
    theirs = w.enter("mona")
    theirs.run("INSERT INTO yard.vault (id, person, word, pin, free) VALUES (1, 1, '%s', '%s', '%s'); COMMIT" % (CANARY, CANARY, CANARY))
    word, pin, free = root.run("SELECT aegis.armor(word), aegis.armor(pin), aegis.armor(free) FROM yard.vault")[0]
    session = w.enter("hera")
    session.run("INSERT INTO yard.vault (id, person, word, pin, free) VALUES (1, 1, 'one', 'one', 'one'), (2, 2, 'two', 'two', 'two')")
    equal(session.value("SELECT string_agg(aegis.reveal(v.word, v) || aegis.reveal(v.pin, v), ',' ORDER BY id) FROM yard.vault v"), "oneone,twotwo")
    other = "FROM yard.vault v, yard.vault o WHERE v.id = 1 AND o.id = 2"
    refuses(session, "AG003", "SELECT aegis.reveal(o.word, v) " + other, "SELECT aegis.masked(o.word, v) " + other, "SELECT aegis.legible(o.pin, v) " + other,
            "SELECT aegis.reveal('%s'::aegis.sealed_text, v) FROM yard.vault v WHERE id = 1" % word,
            "SELECT aegis.reveal('%s'::aegis.sealed_text, v) FROM yard.vault v WHERE id = 1" % pin,
            "SELECT aegis.reveal(v.pin, s) FROM yard.vault v, shop.customer s WHERE v.id = 1 AND s.id = 1",
            "UPDATE yard.vault v SET word = o.word FROM yard.vault o WHERE v.id = 1 AND o.id = 2",
            "UPDATE yard.vault v SET pin = o.pin FROM yard.vault o WHERE v.id = 1 AND o.id = 2",
            "UPDATE yard.vault SET pin = free WHERE id = 1", "UPDATE yard.vault SET word = free WHERE id = 1", "UPDATE yard.vault SET free = word WHERE id = 1",
            "INSERT INTO yard.vault (id, person, word) SELECT 3, 3, word FROM yard.vault WHERE id = 1",
            "INSERT INTO yard.vault (id, person, pin) SELECT 3, person, pin FROM yard.vault WHERE id = 1",
            "UPDATE yard.vault SET free = '%s'::aegis.sealed_text WHERE id = 1" % free)
    refuses(session, "22023", "SELECT aegis.reveal(word) FROM yard.vault", "SELECT aegis.masked(pin) FROM yard.vault")
    refuses(session, "42809", "SELECT aegis.reveal(word, ROW(1)) FROM yard.vault")
    session.run("ROLLBACK")


@attack("W17", "Have a foreign key take rows along whose triggers then pass row security", "member",
        "what a foreign key does runs past row security, what triggers of its rows do does not")
def taken_along(w):
    owner = w.connect("keeper")
    owner.run("CREATE FUNCTION shop.tell() RETURNS trigger LANGUAGE plpgsql AS"
              " $$ BEGIN RAISE NOTICE 'sees %', (SELECT string_agg(DISTINCT note, ' ') FROM shop.customer); RETURN OLD; END $$;"
              "CREATE TRIGGER tell BEFORE DELETE ON shop.line FOR EACH ROW EXECUTE FUNCTION shop.tell()")
    try:
        session = w.enter("hera")
        session.run("INSERT INTO shop.customer (id, note) VALUES (700, 'own'); INSERT INTO shop.line (customer_id, id) VALUES (700, 1)")
        said = session.ask("DELETE FROM shop.customer WHERE id = 700; ROLLBACK")
        equal(said.notices, ["sees own"])
    finally:
        w.connect("keeper").run("DROP FUNCTION shop.tell() CASCADE")
