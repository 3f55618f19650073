# SPDX-License-Identifier: Apache-2.0
"""A throw-away database with two tenants, their teams, users of every rank, and protected tables of every shape."""
from libpq import Session
from rule import NOBODY, Actor, Row, Table, Team

PASSWORD = "heron copper lantern 58 river"
OWN = [Table("shop.document", ("tenant_id", "id"), mark="note"),
       Table("shop.page", ("tenant_id", "document_id", "id"), mark="note"),
       Table("shop.board", ("tenant_id", "id"), created_by=False, mark="note"),
       Table("shop.diary", ("tenant_id", "id"), team=False, mark="note"),
       Table("shop.setting", ("tenant_id", "id"), created_by=False, team=False, mark="note"),
       Table("shop.event", ("tenant_id", "id"), mark="note", hollow=True),                      # partitioned, two levels
       Table("shop.memo", ("tenant_id", "id"), mark="note", hollow=True, inherited=True),       # with a child, which has all rows
       Table("shop.urgent_memo", ("tenant_id", "id"), mark="note"),
       Table("shop.parcel", ("tenant_id", "id"), mark="note"),                                  # serial once, keys converted
       Table("shop.box", ("tenant_id", "id"), mark="note")]                                     # its foreign key converted
APPLICATION = [Table("aegis_app.customer", ("tenant_id", "id"), mark="notes", own=False),
               Table("aegis_app.invoice", ("tenant_id", "id"), own=False),
               Table("aegis_app.invoice_line", ("tenant_id", "invoice_id", "position"), own=False),
               Table("aegis_app.credit_note", ("tenant_id", "id"), own=False),
               Table("aegis_app.credit_note_line", ("tenant_id", "credit_note_id", "position"), own=False),
               Table("aegis_app.credit_series", ("tenant_id",), created_by=False, team=False, own=False),
               Table("aegis_app.invoice_series", ("tenant_id",), created_by=False, team=False, own=False),
               Table("aegis_app.invoice_setting", ("tenant_id",), created_by=False, team=False, own=False),
               Table("aegis_app.webhook_event", ("tenant_id", "id"), own=False, least=4),
               *(Table("aegis_app." + name, ("tenant_id", "id"), own=False) for name in ("checkout", "payment", "payment_match", "refund")),
               Table("aegis_app.payment_effect", ("tenant_id", "provider", "account", "transaction_id", "effect"), own=False),
               Table("aegis_app.invoice_money", ("tenant_id", "invoice_id"), own=False),
               Table("aegis_app.provider_account", ("tenant_id", "id"), created_by=False, team=False, own=False),
               *(Table("aegis_app." + name, ("tenant_id", "id"), created_by=False, team=False, own=False, least=3)
                 for name in ("held_event", "reconciliation", "reconciliation_difference")),
               Table("aegis_app.reconciliation_item", ("tenant_id", "reconciliation_id", "transaction_id"), created_by=False, team=False, own=False, least=3),
               *(Table("aegis_app.kyc_" + name, ("tenant_id", "id"), own=False) for name in ("subject", "document", "screening", "match", "risk", "review", "decision", "hold", "event")),
               Table("aegis_app.kyc_erasure", ("tenant_id", "id"), own=False, least=3),
               Table("aegis_app.reporting_officer", ("tenant_id", "id"), created_by=False, team=False, own=False),
               Table("aegis_app.suspicion_report", ("tenant_id", "id"), created_by=False, team=False, own=False),
               *(Table("aegis_app.kyc_" + name, ("tenant_id", "subject_id"), own=False) for name in ("person", "company")),
               Table("aegis_app.kyc_owner", ("tenant_id", "company_id", "owner_id", "control"), own=False),
               Table("aegis_app.kyc_document_content", ("tenant_id", "document_id"), own=False)]
TENANTS = ("oracle-one", "oracle-two")
# name, the team above, and the users: name -> rank
TREE = [("North", None), ("City", "North"), ("Harbour", "City"), ("Coast", "North"), ("South", None)]
USERS = {"admin": (4, None), "manager-north": (3, "North"), "manager-south": (3, "South"), "manager-city": (3, "City"),
         "lead-city": (2, "City"), "lead-north": (2, "North"), "ada-city": (1, "City"), "bob-city": (1, "City"),
         "user-harbour": (1, "Harbour"), "user-south": (1, "South")}
FEW = ("admin", "manager-north", "lead-city", "ada-city")   # all ranks of one team's people; enough for the second tenant

SETUP = """
CREATE ROLE member LOGIN IN ROLE aegis_member;
CREATE ROLE member_parallel LOGIN IN ROLE aegis_member;
ALTER ROLE member_parallel SET force_parallel_mode = on;
ALTER ROLE member_parallel SET parallel_setup_cost = 0;
ALTER ROLE member_parallel SET parallel_tuple_cost = 0;
ALTER ROLE member_parallel SET min_parallel_table_scan_size = 0;
CREATE ROLE member_index LOGIN IN ROLE aegis_member;
ALTER ROLE member_index SET enable_seqscan = off;
CREATE ROLE operator LOGIN IN ROLE aegis_operator;
CREATE ROLE shopkeeper LOGIN;
GRANT USAGE ON SCHEMA aegis TO shopkeeper;
CREATE SCHEMA shop AUTHORIZATION shopkeeper;
CREATE SCHEMA ways AUTHORIZATION shopkeeper;
GRANT USAGE ON SCHEMA shop, ways TO member, member_parallel, member_index, operator;
GRANT USAGE ON SCHEMA aegis_app TO shopkeeper;
GRANT SELECT ON aegis_app.credit_note, aegis_app.credit_note_line, aegis_app.credit_series, aegis_app.customer, aegis_app.invoice, aegis_app.invoice_line, aegis_app.invoice_series, aegis_app.invoice_setting, aegis_app.webhook_event TO shopkeeper;
GRANT SELECT ON aegis_app.kyc_subject, aegis_app.kyc_document, aegis_app.kyc_screening, aegis_app.kyc_match, aegis_app.kyc_risk, aegis_app.kyc_review, aegis_app.kyc_decision,
  aegis_app.kyc_person, aegis_app.kyc_company, aegis_app.kyc_owner, aegis_app.kyc_document_content, aegis_app.kyc_hold, aegis_app.kyc_erasure, aegis_app.kyc_event,
  aegis_app.reporting_officer TO shopkeeper, operator;
GRANT SELECT ON aegis_app.checkout, aegis_app.held_event, aegis_app.invoice_money, aegis_app.payment, aegis_app.payment_effect, aegis_app.payment_match,
  aegis_app.provider_account, aegis_app.reconciliation, aegis_app.reconciliation_difference, aegis_app.refund TO shopkeeper;
-- Nobody has these rights; here they are given, so that row security is seen.
GRANT SELECT ON aegis_app.reconciliation_item, aegis_app.suspicion_report TO shopkeeper, operator, aegis_member;
"""
# A check with everything that belongs to one.
CHECK = """
CREATE FUNCTION ways.check_somebody() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  person uuid; company uuid; paper uuid; look uuid;
BEGIN
  INSERT INTO aegis_app.kyc_subject (kind, name) VALUES ('person', 'p') RETURNING id INTO person;
  INSERT INTO aegis_app.kyc_subject (kind, name) VALUES ('company', 'c') RETURNING id INTO company;
  INSERT INTO aegis_app.kyc_person (subject_id) VALUES (person);
  INSERT INTO aegis_app.kyc_company (subject_id) VALUES (company);
  INSERT INTO aegis_app.kyc_owner (company_id, owner_id, control, share_bps) VALUES (company, person, 'shares', 5000);
  INSERT INTO aegis_app.kyc_document (subject_id, type, media_type, size_bytes) VALUES (person, 'passport', 'image/png', 1) RETURNING id INTO paper;
  INSERT INTO aegis_app.kyc_document_content (document_id, subject_id, content) VALUES (paper, person, 'x'::bytea);
  INSERT INTO aegis_app.kyc_screening (subject_id, kind, provider, list_version, matches) VALUES (person, 'pep', 'p', '1', 1) RETURNING id INTO look;
  INSERT INTO aegis_app.kyc_match (screening_id, subject_id, name, score) VALUES (look, person, 'm', 1);
  INSERT INTO aegis_app.kyc_risk (subject_id, customer, geography, product, channel, transactions) VALUES (person, 1, 1, 1, 1, 1);
  INSERT INTO aegis_app.kyc_review (subject_id, cause) VALUES (person, 'event');
  UPDATE aegis_app.kyc_subject SET status = 'pending_review' WHERE id = person;
  INSERT INTO aegis_app.kyc_decision (subject_id, command, rationale) VALUES (person, 'reject', 'r');
  IF aegis.rank() >= 3 THEN
    INSERT INTO aegis_app.kyc_hold (subject_id, reason) VALUES (person, 'h');
    INSERT INTO aegis_app.kyc_erasure (subject_id, origin) VALUES (person, 'subject');
  END IF;
  PERFORM aegis_app.record_kyc('kyc.subject.created', 'kyc_subject', person, person, '{"kind": "person"}');
  PERFORM aegis_app.add_suspicion(person, 's');
END $$;
GRANT EXECUTE ON FUNCTION ways.check_somebody() TO aegis_member;
"""
# What providers say about money: only the payment service writes it, or who restores a dump. Of each invoice there is
# everything, with its creator and team; money of its payment was given to the next invoice, which may be another's.
PAY = """
CREATE TEMPORARY TABLE paid AS
  SELECT i.tenant_id, i.created_by, i.team_ord, i.id AS invoice_id, i.version, i.currency, a.id AS account_id, gen_random_uuid() AS payment_id,
         'pi_' || row_number() OVER (ORDER BY i.id) AS transaction_id
    FROM aegis_app.invoice i JOIN aegis_app.provider_account a USING (tenant_id) WHERE i.tenant_id = '{tenant}';
INSERT INTO aegis_app.checkout (tenant_id, created_by, team_ord, invoice_id, account_id, reference, invoice_version, amount_minor, currency, expires_at)
  SELECT tenant_id, created_by, team_ord, invoice_id, account_id, 'ag' || translate(left(md5(invoice_id::text), 18), '0123456789abcdef', 'abcdefghijklmnop'),
         version, 1, currency, now() + interval '1 h' FROM paid;
INSERT INTO aegis_app.payment (tenant_id, created_by, team_ord, id, invoice_id, provider, account, transaction_id, currency, occurred_at, verified_by)
  SELECT tenant_id, created_by, team_ord, payment_id, invoice_id, 'stripe', 'acct_1', transaction_id, currency, now(), '{{}}' FROM paid;
INSERT INTO aegis_app.payment_effect (tenant_id, created_by, team_ord, payment_id, provider, account, transaction_id, effect, occurred_at)
  SELECT tenant_id, created_by, team_ord, payment_id, 'stripe', 'acct_1', transaction_id, effect, now() FROM paid, (VALUES ('authorise'), ('capture')) v(effect);
INSERT INTO aegis_app.payment_match (tenant_id, created_by, team_ord, payment_id, invoice_id, amount_minor)
  SELECT tenant_id, created_by, team_ord, lag(payment_id, 1, payment_id) OVER (ORDER BY invoice_id), invoice_id, 1 FROM paid;
INSERT INTO aegis_app.refund (tenant_id, created_by, team_ord, payment_id, amount_minor, idempotency_key)
  SELECT tenant_id, created_by, team_ord, payment_id, 1, 'k' FROM paid;
INSERT INTO aegis_app.invoice_money (tenant_id, created_by, team_ord, invoice_id, total_minor, received_minor, paid_minor, unapplied_minor, refunded_minor, disputed_minor)
  SELECT tenant_id, created_by, team_ord, invoice_id, 1, 0, 0, 0, 0, 0 FROM paid;
INSERT INTO aegis_app.held_event (tenant_id, provider, account, transaction_id, effect, event)
  SELECT tenant_id, 'stripe', 'acct_1', transaction_id, 'dispute_opened:du_1', '{{}}' FROM paid;
INSERT INTO aegis_app.reconciliation (tenant_id, account_id, from_time, to_time)
  SELECT tenant_id, id, now() - interval '1 day', now() FROM aegis_app.provider_account WHERE tenant_id = '{tenant}';
INSERT INTO aegis_app.reconciliation_item (tenant_id, reconciliation_id, transaction_id, amount_minor, currency, occurred_at)
  SELECT tenant_id, r.id, transaction_id, 1, currency, now() FROM paid JOIN aegis_app.reconciliation r USING (tenant_id);
INSERT INTO aegis_app.reconciliation_difference (tenant_id, reconciliation_id, kind, transaction_id)
  SELECT tenant_id, r.id, 'missing', transaction_id FROM paid JOIN aegis_app.reconciliation r USING (tenant_id);
DROP TABLE paid;
"""


TABLES = """
CREATE TABLE shop.document (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.page (tenant_id uuid, document_id int, id int, note text, PRIMARY KEY (tenant_id, document_id, id),
  FOREIGN KEY (tenant_id, document_id) REFERENCES shop.document (tenant_id, id) ON DELETE CASCADE);
CREATE TABLE shop.board (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.diary (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.setting (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.event (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id)) PARTITION BY HASH (id);
CREATE TABLE shop.event_0 PARTITION OF shop.event FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY RANGE (id);
CREATE TABLE shop.event_0_low (note text, id int NOT NULL, tenant_id uuid NOT NULL);
ALTER TABLE shop.event_0 ATTACH PARTITION shop.event_0_low FOR VALUES FROM (0) TO (50);
CREATE TABLE shop.memo (tenant_id uuid, id int, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE shop.urgent_memo (PRIMARY KEY (tenant_id, id)) INHERITS (shop.memo);
CREATE TABLE shop.parcel (tenant_id uuid, id serial PRIMARY KEY, note text);
CREATE TABLE shop.box (id int PRIMARY KEY, parcel_id int REFERENCES shop.parcel ON DELETE CASCADE, note text);
SELECT aegis.convert_keys('shop.parcel', true);
DO $$ BEGIN EXECUTE (SELECT fix FROM aegis.counter_findings('shop.parcel') WHERE counted = 'serial'); END $$;
SELECT aegis.protect_table('shop.event');
-- those that come later
CREATE TABLE shop.event_0_high PARTITION OF shop.event_0 FOR VALUES FROM (50) TO (maxvalue);
CREATE TABLE shop.event_1 (tenant_id uuid NOT NULL, id int NOT NULL, note text, created_by uuid NOT NULL, team_ord bigint NOT NULL);
ALTER TABLE shop.event ATTACH PARTITION shop.event_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT aegis.protect_table('shop.memo');
SELECT aegis.protect_table('shop.parcel');
SELECT aegis.protect_table('shop.box');
SELECT aegis.protect_table('shop.document');
SELECT aegis.protect_table('shop.page', parent => 'shop.document');
SELECT aegis.protect_table('shop.board', created_by => false);
SELECT aegis.protect_table('shop.diary', team => false);
SELECT aegis.protect_table('shop.setting', created_by => false, team => false);
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO aegis_member, operator;
-- Cheap and telling: the planner would run it first if it were allowed to.
CREATE FUNCTION ways.whisper(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 PARALLEL SAFE AS
  $$ BEGIN RAISE NOTICE 'whisper %', value; RETURN true; END $$;
"""

# Other ways to the same rows; {k} is the key of a row, {t} the table, {s} its short name.
WAYS = """
CREATE VIEW ways.invoker_{s} WITH (security_invoker) AS SELECT * FROM {t};
CREATE VIEW ways.owner_{s} AS SELECT * FROM {t};
CREATE VIEW ways.barrier_{s} WITH (security_barrier) AS SELECT * FROM ways.owner_{s};
CREATE FUNCTION ways.sql_{s}() RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT {q} FROM {t} t';
CREATE FUNCTION ways.sql_definer_{s}() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS 'SELECT {q} FROM {t} t';
CREATE FUNCTION ways.plpgsql_{s}() RETURNS SETOF text LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT {q} FROM {t} t; END';
CREATE FUNCTION ways.dynamic_{s}() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN QUERY EXECUTE ''SELECT {qq} FROM {t} t''; END';
GRANT SELECT ON ways.invoker_{s}, ways.owner_{s}, ways.barrier_{s} TO aegis_member, operator;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ways TO aegis_member, operator;
"""
MARKING = """
GRANT UPDATE, INSERT, DELETE ON ways.invoker_{s}, ways.owner_{s} TO aegis_member, operator;
CREATE FUNCTION ways.mark_{s}(value text) RETURNS void LANGUAGE plpgsql AS 'BEGIN UPDATE {t} SET note = value; END';
GRANT EXECUTE ON FUNCTION ways.mark_{s}(text) TO aegis_member, operator;
"""


def fill(socket, database="postgres"):
    """Makes everything; returns nothing, for read() finds it again."""
    with Session(socket, "postgres", database) as root:
        root.run(SETUP)
        root.run("CREATE TABLE token (name text, slug text, token text, user_id uuid)")
    with Session(socket, "postgres", database) as root, Session(socket, "shopkeeper", database) as owner, Session(socket, "operator", database) as operator, \
            Session(socket, "member", database) as member:
        owner.run(TABLES)
        owner.run(CHECK)
        for table in OWN + APPLICATION:
            quoted = table.key.replace("'", "''")
            names = {"s": table.short, "t": table.name, "k": table.key, "q": quoted, "qq": quoted.replace("'", "''")}
            owner.run(WAYS.format(**names))
            if table.own:
                owner.run(MARKING.format(**names))
        operator.run("SELECT aegis.register_destination('stripe', 'https://api.stripe.com')")
        for n, slug in enumerate(TENANTS):
            tenant = operator.value("SELECT aegis.create_tenant('%s', '%s')" % (slug, slug))
            operator.run("BEGIN; SELECT aegis.assume_tenant('%s', 'set up', 'T-1', read_only => false)" % tenant)
            teams, user = {None: None}, {}
            for name, above in TREE:
                teams[name] = operator.value("SELECT aegis.create_team('%s'%s)" % (name, ", '%s'" % teams[above] if above else ""))
            people = USERS if n == 0 else {name: USERS[name] for name in FEW}
            for name, (rank, team) in people.items():
                user[name] = operator.value("SELECT aegis.create_user('%s@%s.example', '%s', %d::smallint, %s, '%s')"
                                            % (name, slug, name, rank, "'%s'" % teams[team] if team else "NULL", PASSWORD))
            operator.run("COMMIT")
            for i, name in enumerate(people):
                token = member.value("SELECT token FROM aegis.sign_in('%s', '%s@%s.example', '%s', NULL, NULL, NULL)" % (slug, name, slug, PASSWORD))
                root.run("INSERT INTO token VALUES ('%s', '%s', '%s', '%s')" % (name, slug, token, user[name]))
                member.run("BEGIN; SELECT aegis.authenticate('%s')" % token)
                # The same numbers in both tenants, so that a key without its tenant would be ambiguous.
                for number in (10 * i, 10 * i + 1):
                    for table in ("document", "board", "diary", "setting", "event", "urgent_memo", "parcel"):
                        member.run("INSERT INTO shop.%s (id) VALUES (%d)" % (table, number))
                    member.run("INSERT INTO shop.box (id, parcel_id) VALUES (%d, %d)" % (number, number))
                    member.run("INSERT INTO shop.page (document_id, id) VALUES (%d, 1), (%d, 2)" % (number, number))
                    customer = member.value("INSERT INTO aegis_app.customer (name) VALUES ('%s %d') RETURNING id" % (name, number))
                    invoice = member.value("SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body',"
                                           " '{\"currency\": \"EUR\", \"lines\": [{\"description\": \"d\", \"unit_minor\": 1}]}'::jsonb"
                                           " || jsonb_build_object('customer_id', '%s'))))).body ->> 'id'" % customer)
                    for step in ("send_invoice", "create_credit_note") if people[name][0] >= 3 else ():
                        member.run("SELECT aegis_app.%s(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', '%s'),"
                                   " 'body', '{\"reason\": \"r\"}'::jsonb)))" % (step, invoice))
                member.run("SELECT ways.check_somebody()")
                if name == "admin":
                    member.run("INSERT INTO aegis_app.reporting_officer (user_id) SELECT id FROM aegis.users() WHERE id <> aegis.user_id() LIMIT 1")
                    member.run("SELECT aegis_app.set_invoice_settings('{\"time_zone\": \"UTC\"}')")
                    member.run("SELECT aegis_app.connect_account('stripe', 'acct_1', 'EUR', false, 'stripe', 'https://pay.example/back', '{\"key\": \"sk_test_oracle\"}')")
                member.run("COMMIT")
            # Only a verified webhook writes these, or who restores a dump: one of each customer's creator and team.
            root.run("INSERT INTO aegis_app.webhook_event (tenant_id, created_by, team_ord, endpoint_id, provider, account, event_id, state, live, key_id,"
                     " body_digest, body_bytes) SELECT tenant_id, created_by, team_ord, gen_random_uuid(), 'stripe', 'acct_1', 'evt_' || row_number() OVER (),"
                     " 'ignored', true, gen_random_uuid() || '.1', sha256('x'), 1 FROM aegis_app.customer WHERE tenant_id = '%s'" % tenant)
            root.run(PAY.format(tenant=tenant))
            # A row that has moved belongs to another team than its creator does.
            admin = root.value("SELECT token FROM token WHERE name = 'admin' AND slug = '%s'" % slug)
            south = root.value("SELECT ord FROM aegis.team WHERE tenant_id = '%s' AND name = 'South'" % tenant)
            member.run("BEGIN; SELECT aegis.authenticate('%s'); UPDATE shop.document SET team_ord = %s WHERE id IN (30, 41); COMMIT" % (admin, south))
        root.run("ANALYZE")


class Sample:
    """What a superuser reads of a database that fill() has filled, and the sessions for it."""

    def __init__(self, socket, database="postgres", tables=None):
        self.socket, self.database = socket, database
        self.tables = tables or OWN + APPLICATION
        self.root = Session(socket, "postgres", database)
        self.sessions = {}
        self.teams = [Team(*row) for row in self.root.run("SELECT tenant_id, id, parent_id, ord FROM aegis.team")]
        number = {(t.tenant, t.id): t.number for t in self.teams}
        self.actors = []
        for name, slug, token, tenant, user, rank, team in self.root.run(
                "SELECT o.name, o.slug, o.token, u.tenant_id, u.id, u.rank, u.team_id FROM token o"
                " JOIN aegis.user u ON u.id = o.user_id ORDER BY o.slug, o.name"):
            self.actors.append(Actor("%s of %s" % (name, slug), "member", "SELECT aegis.authenticate('%s')" % token,
                                     tenant, user, int(rank), number[tenant, team]))
        for tenant, slug in self.root.run("SELECT id, slug FROM aegis.tenant WHERE slug LIKE 'oracle-%' ORDER BY slug"):
            top = next(t.number for t in self.teams if t.tenant == tenant and t.parent is None)
            for read_only in ("false", "true"):
                enter = "SELECT aegis.assume_tenant('%s', 'oracle', 'T-1', read_only => %s)" % (tenant, read_only)
                self.actors.append(Actor("operator of %s%s" % (slug, ", read-only" if read_only == "true" else ""), "operator", enter, tenant,
                                         NOBODY, 4, top, read_only == "true"))
        self.actors += [Actor("member without a context", "member", ""), Actor("owner without a context", "shopkeeper", "")]

    def session(self, login):
        """One for all actors of a login, one after the other, as behind a pooler."""
        if login not in self.sessions:
            self.sessions[login] = Session(self.socket, login, self.database)
        return self.sessions[login]

    def rows(self, table):
        sql = "SELECT %s, t.tenant_id, %s, %s FROM %s t" % (table.key, "t.created_by" if table.created_by else "NULL",
                                                         "t.team_ord" if table.team else "NULL", table.name)
        return [Row(*row) for row in self.root.run(sql)]

    def close(self):
        for session in [self.root, *self.sessions.values()]:
            session.close()
