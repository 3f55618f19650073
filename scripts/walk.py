#!/usr/bin/env python3
"""Walks the main path of a running installation with the sample data, and stops at the first wrong answer.

    scripts/walk.py --port PORT --certificate FILE --socket FOLDER --psql PROGRAM --tamper PROGRAM --verify PROGRAM --rollback PROGRAM --key VKEY --witness VKEY
                    --provider URL --provider-certificate FILE

Each step prints what was asked (>, or role=>), what came back (<), and what that shows (ok).
"""
import argparse
import sys
import tempfile
import time
import uuid

sys.dont_write_bytecode = True  # the clone stays as it is
sys.path.insert(0, sys.path[0] + "/lib")

from client import Database, Gateway, Provider, WrongAnswer, answer_of  # noqa: E402
import sample  # noqa: E402


def user_of(slug, rank, team):
    """Sample user: (tenant, e-mail, password)."""
    tenant = next(t for t in sample.TENANTS if t["slug"] == slug)
    for email, _, its_rank, its_team, password in sample.people(tenant):
        if (its_rank, its_team) == (rank, team):
            return slug, email, password
    raise WrongAnswer(f"the sample has no user of rank {rank} in {team}")


USER = user_of("northgate-dental", 1, "North Clinic")
COLLEAGUE = user_of("northgate-dental", 1, "South Orthodontics")
STRANGER = user_of("brightwater-solar", 4, None)
ADMIN = user_of("northgate-dental", 4, None)


def want(true, claim):
    """The claim holds, or the walk ends here."""
    if not true:
        raise WrongAnswer(claim)
    print("   ok:", claim)


def intact(text):
    """Every row of aegis.verify_ledger() (checked | subject | outcome | items | detail) says ok."""
    rows = [line.split(" | ") for line in text.split("\n")]
    return all(len(row) >= 3 and row[2] == "ok" for row in rows)


class Walk:
    def __init__(self, options, folder):
        self.folder = folder  # of the auditor's files
        self.options = options
        self.database = Database(options.psql, options.socket)
        self.user = Gateway(options.port, options.certificate)
        self.colleague = Gateway(options.port, options.certificate)
        self.stranger = Gateway(options.port, options.certificate)
        # New in every walk, so that a second one finds nothing of the first.
        self.person = {"name": "Zoë Falk", "email": f"zoe.{uuid.uuid4().hex[:8]}@customers.example",
                       "phone": "+44 20 7946 0958", "address": "1 Harbour Street"}
        self.provider = Provider(options.provider, options.provider_certificate)
        self.customer = self.invoice = None

    def sign_in(self):
        """Sign in over HTTPS"""
        answer = self.user.sign_in(*USER)
        want(answer["tenant"]["slug"] == USER[0] and answer["user"]["rank"] == 1, "the session belongs to the user and their tenant")
        status, _ = Gateway(self.options.port, self.options.certificate).request("GET", "/api/customers")
        want(status == 401, "without a session there is no answer")

    def create_customer(self):
        """Create a customer with personal data"""
        status, answer = self.user.request("POST", "/api/customers", self.person)
        want(status == 201, "the customer is created")
        self.customer = answer["id"]

    def two_views(self):
        """The row as the DBA sees it, and as the user sees it"""
        row = f"SELECT name, email, phone, address FROM aegis_app.customer WHERE id = '{self.customer}'"
        found, text = self.database.run("postgres", row)
        want(found and text.count("A1.") == 4, "the DBA sees four ciphertexts")
        want(not any(value in text for value in self.person.values()), "and nothing of what was entered")
        status, answer = self.user.request("GET", f"/api/customers/{self.customer}")
        want(status == 200 and all(answer[field] == value for field, value in self.person.items()), "the user sees what was entered")

    def find_by_email(self):
        """Find the customer by e-mail, which is encrypted in the table"""
        status, answer = self.user.request("GET", f"/api/customers?email={self.person['email'].upper()}")
        want(status == 200 and [c["id"] for c in answer["customers"]] == [self.customer], "the search finds exactly this customer")

    def invoices(self):
        """Draft, send and cancel invoices"""
        numbers = []
        for quantity in (1, 2):
            status, draft = self.user.request("POST", "/api/invoices", {
                "customer_id": self.customer, "currency": "GBP", "due_date": "2030-12-31",
                "lines": [{"description": "Ceramic crown", "quantity": quantity, "unit_minor": "68000"}]})
            want(status == 201 and draft["number"] is None, "a draft has no number")
            status, sent = self.user.request("POST", f"/api/invoices/{draft['id']}/send")
            want(status == 200 and sent["status"] == "sent", "sending numbers it and freezes it")
            numbers.append(sent["number"])
        self.invoice = sent["id"]
        want(int(numbers[1].split("-")[-1]) == int(numbers[0].split("-")[-1]) + 1, f"the numbers have no gap: {', '.join(numbers)}")
        status, cancelled = self.user.request("POST", f"/api/invoices/{self.invoice}/cancel", {"reason": "entered twice"})
        want(status == 200 and cancelled["number"] == numbers[1], "a cancelled invoice keeps its number")
        status, _ = self.user.request("PATCH", f"/api/invoices/{self.invoice}", {"currency": "EUR"})
        want(status == 409, "and cannot be edited")

    def connected(self):
        """An account at the simulated provider and an address for its webhooks; what an earlier walk left is used."""
        admin = Gateway(self.options.port, self.options.certificate)
        admin.sign_in(*ADMIN)
        admin.request("POST", "/api/payment-accounts", {
            "provider": "stripe", "account": "acct_walk", "currency": "GBP", "live": False, "destination": "stripe-simulated",
            "return_url": "https://localhost/thanks", "credential": {"key": "sk_test_walk"}})
        _, found = admin.request("GET", "/api/payment-accounts")
        secret, account = f"whsec_{uuid.uuid4().hex}", {"provider": "stripe", "account": "acct_walk", "live": False}
        _, listed = admin.request("GET", "/api/webhook-endpoints")
        place = next((e for e in listed["endpoints"] if e["account"] == "acct_walk" and not e["disabled_at"]), None)
        if place is None:
            _, place = admin.request("POST", "/api/webhook-endpoints", {**account, "secret": secret})
        else:
            admin.request("POST", f"/api/webhook-endpoints/{place['id']}/secrets", {"secret": secret, "overlap_seconds": 0})
        self.provider.control("webhook", provider="stripe", url=f"https://localhost:{self.options.port}{place['path']}", secret=secret,
                              ca=self.options.certificate)
        return next(a["id"] for a in found["accounts"] if a["account"] == "acct_walk")

    def payment(self):
        """An invoice is paid at a provider (simulated here): page, payer, signed webhook"""
        account = self.connected()
        _, draft = self.user.request("POST", "/api/invoices", {"customer_id": self.customer, "currency": "GBP",
                                                               "lines": [{"description": "Hygienist", "unit_minor": "9500"}]})
        invoice = f"/api/invoices/{draft['id']}"
        self.user.request("POST", f"{invoice}/send")
        status, page = self.user.request("POST", f"{invoice}/checkouts", {"account_id": account})
        want(status == 201, "the provider is asked for a page, through the agent")
        for _ in range(60):
            if page["status"] != "creating":
                break
            time.sleep(0.5)
            _, page = self.user.request("GET", f"/api/checkouts/{page['id']}")
        want(page["status"] == "open" and page["go"]["url"].startswith(self.options.provider), "and has made one: card data is typed there, never here")
        want(self.provider.pay(page["go"]["url"], "4242424242424242") == 303, "the payer pays with a published test card, and is sent back")
        _, paid = self.user.request("GET", invoice)
        want(paid["status"] == "paid", "a signed webhook settled the invoice; that the browser came back says nothing")
        self.provider.control("replay")
        self.provider.control("replay", same_id=False)
        _, moved = self.user.request("GET", f"{invoice}/payments")
        want(len(moved["payments"]) == 1 and moved["paid_minor"] == "9500", "the same message again, and under another id, pays nothing twice")

    def nothing_for(self, who, headers=None):
        status, answer = who.request("GET", f"/api/customers?email={self.person['email']}", headers=headers)
        want(status == 200 and answer["customers"] == [], "the search finds nobody")
        status, _ = who.request("GET", f"/api/customers/{self.customer}", headers=headers)
        want(status == 404, "the customer does not exist for them")
        status, _ = who.request("POST", f"/api/invoices/{self.invoice}/cancel", {"reason": "not mine"}, headers)
        want(status == 404, "nor does the invoice")

    def other_tenant(self):
        """The same requests as the admin of another tenant"""
        self.stranger.sign_in(*STRANGER)
        self.nothing_for(self.stranger)

    def other_team(self):
        """The same requests as a colleague in another team"""
        self.colleague.sign_in(*COLLEAGUE)
        self.nothing_for(self.colleague)

    def forged_tenant(self):
        """A forged X-Tenant-Id header"""
        _, mine = self.user.request("GET", "/api/organisation")
        self.nothing_for(self.stranger, {"X-Tenant-Id": mine["id"]})
        _, theirs = self.stranger.request("GET", "/api/organisation", headers={"X-Tenant-Id": mine["id"]})
        want(theirs["slug"] == STRANGER[0], "it changes nothing")

    def refused(self, role, what, *statements, because):
        """The statements end in an error that gives this reason, and not in another one."""
        done, text = self.database.run(role, *statements)
        want(not done and any("ERROR:" in line and because in line for line in text.split("\n")), what)

    def gateway_login(self):
        """The gateway's own database login, in the hands of a thief"""
        denied, not_allowed = "permission denied", "not allowed in a tenant session"
        self.refused("gateway", "it cannot read customers", "SELECT * FROM aegis_app.customer", because=denied)
        self.refused("gateway", "nor sessions", "SELECT * FROM aegis.session", because=denied)
        self.refused("gateway", "nor the catalog of roles", "SELECT rolname FROM pg_catalog.pg_roles", because=not_allowed)
        self.refused("gateway", "it cannot forge a context", "SET aegis.context = 'x'", because=not_allowed)
        self.refused("gateway", "nor through a function", "SELECT pg_catalog.set_config('aegis.context', 'x', false)",
                     because=not_allowed)
        self.refused("gateway", "nor become somebody else", "SET ROLE aegis_member", because=not_allowed)
        attempt = f"SELECT outcome FROM aegis.sign_in('{USER[0]}', '{USER[1]}', 'guess', '192.0.2.1', 'thief', 'r-1')"
        self.refused("gateway", "a sign-in cannot be tried and rolled back", "BEGIN", attempt, "ROLLBACK",
                     because="cannot run inside a transaction block")

    def append_only(self):
        """An UPDATE on the ledger"""
        change = "UPDATE aegis.entry SET body = body WHERE seq = (SELECT min(seq) FROM aegis.entry)"
        only = "ledger is append-only"
        self.refused("postgres", "is refused to the superuser", change, because=only)
        self.refused("postgres", "and to the owner of the table", "SET ROLE aegis_owner", change, because=only)
        self.refused("auditor", "and to the auditor", change, because="permission denied")

    def verify(self):
        """The auditor verifies the ledger"""
        self.database.run("auditor", "SELECT aegis.wait_sealed()")
        done, text = self.database.run("auditor", "SELECT * FROM aegis.verify_ledger()")
        want(done and intact(text), "every entry is sealed, and nothing was changed")

    def offline(self, name, *arguments):
        print("   $ aegis-verify bundle", name, *[argument.replace(self.folder + "/", "") for argument in arguments])
        return answer_of([self.options.verify, "bundle", f"{self.folder}/{name}", *arguments])

    def export(self):
        """The auditor exports the ledger and checks it without the database"""
        done, text = self.database.run("auditor", "COPY (SELECT aegis.export_ledger()) TO STDOUT", shown=2)
        with open(f"{self.folder}/ledger", "w", encoding="ascii") as file:
            file.write(text + "\n")
        sound, _ = self.offline("ledger", "--keep", f"{self.folder}/kept")
        want(done and sound, "every hash follows from the entries, and the head is kept")

    def tampering(self):
        """On a scratch copy, with the library unloaded, a superuser edits an old entry"""
        _, victim = self.database.run("auditor", "SELECT seq FROM aegis.audit_log WHERE event = 'invoice.cancelled' ORDER BY seq LIMIT 1")
        print("   $ scripts/tamper.sh", victim, "edited")
        _, found = answer_of([self.options.tamper, victim, f"{self.folder}/edited"])
        want(f"entry seq {victim} | finding" in found, f"verification names the entry: {victim}")
        sound, found = self.offline("edited", "--head", f"{self.folder}/kept")
        want(not sound and f"(entry seq {victim}): its body was changed" in found, "so does the auditor's machine, from the copy's export")

    def checkpoint_to(self, name, wait="wait_checkpoint", which="latest_checkpoint"):
        """The newest checkpoint as a file of the auditor's; its lines."""
        done, text = self.database.run("auditor", f"SELECT aegis.{wait}()", f"SELECT aegis.{which}()")
        want(done, "everything is covered by a signature")
        lines = text.split("\n")[1:]
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return lines

    def checkpoint(self):
        """The ledger's head, signed by a process outside the database"""
        origin, size, *_ = self.checkpoint_to("checkpoint")
        want(origin == self.options.key.split("+")[0], f"the log is called as its key, which the auditor has: {self.options.key}")
        want(int(size) > 0, f"its root log has {size} heads")

    def signed_export(self):
        """The auditor checks an export against the signed checkpoint, offline"""
        done, text = self.database.run("auditor", "COPY (SELECT aegis.export_ledger()) TO STDOUT", shown=2)
        with open(f"{self.folder}/signed", "w", encoding="ascii") as file:
            file.write(text + "\n")
        sound, _ = self.offline("signed", "--checkpoint", f"{self.folder}/checkpoint", "--key", self.options.key)
        want(done and sound, "it contains exactly what was signed")
        sound, _ = self.offline("edited", "--checkpoint", f"{self.folder}/checkpoint", "--key", self.options.key)
        want(not sound, "the edited copy's export does not")

    def witnessed(self):
        """The same head, cosigned by a witness: another process, with its own key and memory"""
        lines = self.checkpoint_to("cosigned", "wait_witnessed", "witnessed_checkpoint")
        name = self.options.witness.split("+")[0]
        want(any(line.startswith(f"\u2014 {name} ") for line in lines), f"its signature stands beside the log's: {self.options.witness}")
        done, text = self.database.run("auditor", "COPY (SELECT aegis.export_ledger()) TO STDOUT", shown=2)
        with open(f"{self.folder}/witnessed", "w", encoding="ascii") as file:
            file.write(text + "\n")
        sound, found = self.offline("witnessed", "--checkpoint", f"{self.folder}/cosigned", "--key", self.options.key, "--witness", self.options.witness)
        want(done and sound and "signed and cosigned" in found, "the auditor's machine demands both, and has them")

    def fsck(self, *arguments):
        print("   $ aegis-verify fsck", *[argument.replace(self.folder + "/", "") for argument in arguments])
        return answer_of([self.options.verify, "fsck", *arguments, "--ca", self.options.certificate, "--key", self.options.key,
                          "--witness", self.options.witness])

    def tiles(self):
        """Whole logs over HTTPS as C2SP tiles: the root log for anybody, a tenant's for its admin"""
        place = f"https://localhost:{self.options.port}/api/ledger"
        sound, found = self.fsck(f"{place}/root", "--hashes-only")
        want(sound and "ok: every hash follows" in found, "every head is hashed again, to the root that was signed and cosigned")
        with open(f"{self.folder}/session", "w", encoding="ascii") as file:
            file.write(self.stranger.token)
        sound, found = self.fsck(f"{place}/log", "--tenant-log", "--token-file", f"{self.folder}/session")
        want(sound and "ok: every hash follows from the entries" in found, "so is every entry of the tenant's log")
        sound, found = self.fsck(f"{place}/log", "--tenant-log")
        want(not sound and "401" in found, "which nobody else is shown")

    def rolled_back(self):
        """A backup from before the last work is started in the cluster's place"""
        print("   $ scripts/rollback.sh older")
        done, text = answer_of([self.options.rollback, f"{self.folder}/older"])
        want(done and "the signer refused the head of the ledger" in text, "the signer refuses its ledger")
        want("shorter than what was signed" in text and '"checkpoint": "refused"' in text, "the server says what that means")
        self.checkpoint_to("newest")
        sound, found = self.offline("older", "--checkpoint", f"{self.folder}/newest", "--key", self.options.key)
        want(not sound and "its end was cut off, or an older state was restored" in found, "so does the auditor's machine, from the backup's export")

    STEPS = (sign_in, create_customer, two_views, find_by_email, invoices, payment, other_tenant, other_team, forged_tenant,
             gateway_login, append_only, verify, export, tampering, checkpoint, signed_export, witnessed, tiles, rolled_back)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    for name in ("certificate", "socket", "psql", "tamper", "verify", "rollback", "key", "witness", "provider", "provider-certificate"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(Walk(options, folder))


def run(walk):
    for number, step in enumerate(Walk.STEPS, 1):
        print(f"{number:2}. {step.__doc__}")
        try:
            step(walk)
        except WrongAnswer as wrong:
            sys.exit(f"   WRONG: expected that {wrong}")
    print(f"The walk is done: {len(Walk.STEPS)} steps, every answer right.")


if __name__ == "__main__":
    main()
