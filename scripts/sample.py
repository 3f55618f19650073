#!/usr/bin/env python3
"""Prints the SQL that fills a fresh database with sample data, the same every time.

    scripts/sample.py operator | psql -v ON_ERROR_STOP=1 ...   (as a member of aegis_operator)
    scripts/sample.py member   | psql -v ON_ERROR_STOP=1 ...   (as a member of aegis_member)
    scripts/sample.py demo     | psql -v ON_ERROR_STOP=1 ...   (as a member of aegis_operator, of a server in demo mode)
    scripts/sample.py logins                                   (tenant, e-mail, rank, password)

The operator makes tenants, teams and users; then every user signs in and enters customers and
invoices through the same functions that the HTTP routes call, so each row has its real creator and
each step its ledger entry. People, firms and passwords are invented and published: samples only.
"""
import json
import random
import sys

PASSWORD = "sample-{first}-paints-{n}-violet-harbours"
RANKS = {1: "user", 2: "team lead", 3: "manager", 4: "admin"}

TENANTS = [
    {"slug": "northgate-dental", "name": "Northgate Dental Group", "domain": "northgate-dental.example",
     "currency": "GBP", "regions": ["North", "South"], "teams": ["Clinic", "Orthodontics"],
     "work": [("Check-up and cleaning", 6500), ("Composite filling", 14500), ("Ceramic crown", 68000),
              ("Aligner, one jaw", 145000), ("Panoramic X-ray", 4800)]},
    {"slug": "brightwater-solar", "name": "Brightwater Solar Ltd", "domain": "brightwater-solar.example",
     "currency": "EUR", "regions": ["Coast", "Inland"], "teams": ["Homes", "Industry"],
     "work": [("Site survey", 25000), ("Panel, 430 W", 18900), ("Inverter, 10 kW", 210000),
              ("Battery, 12 kWh", 540000), ("Mounting and wiring, per day", 88000)]},
    {"slug": "castellan-legal", "name": "Castellan Legal LLP", "domain": "castellan-legal.example",
     "currency": "GBP", "regions": ["Disputes", "Transactions"], "teams": ["Partners", "Associates"],
     "work": [("Advice, per hour", 32000), ("Drafting of a contract", 120000), ("Court hearing", 210000),
              ("Due diligence, per day", 180000), ("Land registry fee", 4500)]},
]
FIRST = ["Amara", "Bjorn", "Chiara", "Dilnoza", "Eoin", "Farid", "Greta", "Hiroshi", "Ines", "Jakub", "Keiko",
         "Leila", "Mateus", "Nadia", "Oksana", "Pedro", "Quentin", "Rosa", "Stefan", "Tomas"]
LAST = ["Abara", "Berg", "Conti", "Dvorak", "Eklund", "Farouk", "Grant", "Hayashi", "Ivanova", "Jansen", "Kowalski",
        "Lindqvist", "Moreau", "Novak", "Okafor", "Petrov", "Quispe", "Rossi", "Sato", "Tanaka"]
MEMOS = ["Thank you for your trust.", "Payable within 30 days, please quote the number of the invoice.",
         "As agreed by telephone.", "Includes the discount for returning customers."]
NOTES = ["Prefers to be called in the morning.", "Invoices to the accounts department.", "Speaks French.", "Met at the spring fair."]
REASONS = ["entered twice", "the customer withdrew the order", "wrong amount, sent again"]
STREETS = ["Harbour Street", "Mill Lane", "Station Road", "Rosenweg", "Rue des Tilleuls", "Via Garibaldi"]


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def people(tenant):
    """Users of a tenant: (e-mail, name, rank, team or None, password); teams are (name, parent)."""
    rng = random.Random(tenant["slug"])
    firsts, lasts = rng.sample(FIRST, 15), rng.sample(LAST, 15)
    places = [(4, None)]
    for region in tenant["regions"]:
        places.append((3, region))
        for team in tenant["teams"]:
            places += [(2, f"{region} {team}"), (1, f"{region} {team}"), (1, f"{region} {team}")]
    for n, (rank, team) in enumerate(places):
        first, last = firsts[n], lasts[n]
        yield (f"{first}.{last}@{tenant['domain']}".lower(), f"{first} {last}", rank, team,
               PASSWORD.format(first=first.lower(), n=n + 11))


def operator_sql():
    for tenant in TENANTS:
        print(f"SELECT aegis.create_tenant({quote(tenant['slug'])}, {quote(tenant['name'])}) AS tenant \\gset")
        print("BEGIN;")
        print("SELECT aegis.assume_tenant(:'tenant'::uuid, 'load sample data', 'SAMPLE-1', read_only => false) \\g /dev/null")
        for region in tenant["regions"]:
            print(f"SELECT aegis.create_team({quote(region)}) AS region \\gset")
            print(f"\\set {variable(region)} :region")
            for team in tenant["teams"]:
                name = f"{region} {team}"
                print(f"SELECT aegis.create_team({quote(name)}, :'region'::uuid) AS team \\gset")
                print(f"\\set {variable(name)} :team")
        for email, name, rank, team, password in people(tenant):
            where = f":'{variable(team)}'::uuid" if team else "NULL"
            print(f"SELECT aegis.create_user({quote(email)}, {quote(name)}, {rank}::smallint, {where}, {quote(password)}) \\g /dev/null")
        print("COMMIT;")


def variable(team):
    return "team_" + team.lower().replace(" ", "_")


def call(handler, **request):
    body = quote(json.dumps(request, ensure_ascii=False, sort_keys=True))
    return f"aegis_app.{handler}(jsonb_populate_record(NULL::aegis.request, {body}::jsonb))"


def member_sql():
    for tenant in TENANTS:
        rng = random.Random(tenant["slug"] + "/work")
        for email, name, rank, _, password in people(tenant):
            print(f"SELECT token FROM aegis.sign_in({quote(tenant['slug'])}, {quote(email)}, {quote(password)}, "
                  f"'192.0.2.{rng.randrange(1, 255)}', 'sample data', 'sample') \\gset")
            print("BEGIN;")
            print("SELECT aegis.authenticate(:'token', '192.0.2.1', 'sample data', 'sample') \\g /dev/null")
            for number in range(7 if rank < 4 else 3):
                customer(tenant, rng, email, number)
            print("COMMIT;")


def customer(tenant, rng, owner, number):
    first, last = rng.choice(FIRST), rng.choice(LAST)
    key = f"{owner.split('@')[0]}.{number}"
    entered = {"name": f"{first} {last}", "email": f"{first}.{last}.{key}@customers.example".lower(),
               "phone": f"+44 20 7946 {rng.randrange(10000):04d}",  # Ofcom's range for drama
               "address": f"{rng.randrange(1, 200)} {rng.choice(STREETS)}"}
    if rng.random() < 0.25:
        entered["notes"] = rng.choice(NOTES)
    print(f"SELECT ({call('create_customer', body=entered)}).body ->> 'id' AS customer \\gset")
    for _ in range(rng.choice([1, 1, 2])):
        lines = [{"description": what, "quantity": rng.randrange(1, 4), "unit_minor": str(price)}
                 for what, price in rng.sample(tenant["work"], rng.randrange(1, 4))]
        draft = {"currency": tenant["currency"], "lines": lines}
        if rng.random() < 0.3:
            draft["memo"] = rng.choice(MEMOS)
        body = quote(json.dumps(draft, sort_keys=True))
        due = f"(current_date + {rng.randrange(-12, 60)})::text"  # some are overdue, whenever the data is loaded
        print(f"SELECT (aegis_app.create_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('body', "
              f"{body}::jsonb || jsonb_build_object('customer_id', :'customer', 'due_date', {due}))))).body ->> 'id' AS invoice \\gset")
        fate = rng.random()
        steps = [] if fate < 0.25 else ["send"] if fate < 0.9 else ["send", "cancel"]
        for step in steps:
            print(f"SELECT (aegis_app.{step}_invoice(jsonb_populate_record(NULL::aegis.request, jsonb_build_object("
                  f"'params', jsonb_build_object('id', :'invoice'), 'body', jsonb_build_object('reason', {quote(rng.choice(REASONS))}))))).status \\g /dev/null")


def logins():
    for tenant in TENANTS:
        for email, _, rank, _, password in people(tenant):
            print("\t".join([tenant["slug"], email, RANKS[rank], password]))


def demo_sql():
    """One login of each rank of the first two tenants, for the sign-in page of a demonstration."""
    shown = []
    for tenant in TENANTS[:2]:
        ranks = set()
        for email, _, rank, _, password in people(tenant):
            if rank not in ranks:
                ranks.add(rank)
                shown.append({"tenant": tenant["slug"], "email": email, "password": password, "remark": RANKS[rank].capitalize()})
    print(f"SELECT aegis.set_demo_logins({quote(json.dumps(shown))});")


if __name__ == "__main__":
    parts = {"operator": operator_sql, "member": member_sql, "logins": logins, "demo": demo_sql}
    if len(sys.argv) != 2 or sys.argv[1] not in parts:
        sys.exit(__doc__)
    # Quiet, and stop at the first error: half a sample is worse than none.
    if sys.argv[1] != "logins":
        print("\\set QUIET on\n\\set ON_ERROR_STOP on")
    parts[sys.argv[1]]()
