# SPDX-License-Identifier: Apache-2.0
"""Fills what is known about people and companies, and reports of suspicion: values under keys of their own, bound to their rows."""
import base64
import json

from live_database import literal

FILES = (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + bytes(range(256)) * 6 + b"\0\0\0\0IEND\xaeB`\x82", b"\xff\xd8\xff\0\xff\xd9")
PERSON = {"former_names": "geb. M\u00fcller\u2011\u0141\u00f3d\u017a, \u5c71\u7530", "date_of_birth": "1899-12-31", "place_of_birth": "\u0130stanbul",
          "nationality": "GB JP", "residence": "DE", "address": "\u00d6rtchen 1\u00bd\n\u6771\u4eac", "former_addresses": "a\n" * 900 + "\u0439",
          "email": "Zo\u00eb.Kyc@\u00dcBER.example", "phone": "+44 20 \u2013 7946 0018", "national_id": "ab-12 / c", "tax_id": "de\u00a099",
          "occupation": "Fee \U0001F9DA\u200D\u2640\ufe0f", "employer": "O'Hara & \"S\u00f6hne\" \\ Co", "source_of_funds": "\u0645\u062f\u062e\u0631\u0627\u062a",
          "source_of_wealth": "\u20ac \u2211 \u221e", "expected_activity": "\u00df" * 2000}
COMPANY = {"trading_names": "\u682a\u5f0f\u4f1a\u793e \u4e09", "registration_number": "hrb 7-x", "jurisdiction": "JP", "lei": "lei x 1", "incorporated_on": "2000-01-01",
           "address": "1\u20112\u20113 \u6771\u4eac", "business": "K\u00e4se\tund Wein\n", "regulator": "\u00c5 \u00c5 A\u030a"}


def to_each(handler, rows, body):
    """Calls a handler for every id that a query gives."""
    return ("SELECT (aegis_app.%s(jsonb_populate_record(NULL::aegis.request, jsonb_build_object('params', jsonb_build_object('id', q.id), 'body', %s::jsonb)))).status"
            " FROM (%s) q \\g /dev/null\n" % (handler, literal(json.dumps(body, ensure_ascii=False)), rows))


def checks(fill, n):
    """What one person begins: a check of two persons and of a company."""
    def step(handler, target, body):
        return fill.step(handler, target, literal(json.dumps(body, ensure_ascii=False)))
    out = fill.call("create_kyc_subject", "company", body={"kind": "company", "name": "\u4e09\u756a\u76ee %d" % n, "identity": COMPANY})
    out += fill.call("create_kyc_subject", "second", body={"kind": "person", "name": "\u0639\u0644\u064a", "identity": {"date_of_birth": "2000-02-29"}})
    out += fill.call("create_kyc_subject", "person", body={"kind": "person", "name": "Zoe\u0308 O'Hara", "identity": PERSON})
    out += step("change_kyc_subject", "second", {"name": "\U0001F600", "version": 1, "identity": {"date_of_birth": None, "email": "b.%d@Example.org" % n}})
    # Written past the handler, which keeps letters and digits: the search key is of the composed form.
    out += "UPDATE aegis_app.kyc_person SET tax_id = %s WHERE subject_id = :'second';\n" % literal(" Z\u00f6\u0308-\u212b e\u0301 ")
    for target, content in zip(("person", "company"), FILES):
        out += step("upload_kyc_document", target, {"type": "other", "country": "GB", "number": "x-%d / y" % n, "file_name": "Pa\u00df \u2116 \u5c71.png",
                                                    "content": base64.b64encode(content).decode()})
        out += step("record_kyc_screening", target, {"kind": "pep", "provider": "Lists", "list_version": "1", "matches": [
            {"name": "Zo\u00eb \u4e2d", "entry": "\u2116 7 \u2013 \u00e9", "score": 100}, {"name": "\u0639\u0644\u064a", "score": 0}]})
        out += step("rate_kyc_risk", target, {"factors": dict.fromkeys(("customer", "geography", "product", "channel", "transactions"), 1),
                                              "rationale": "\u2264 \u00bd"})
        out += step("open_kyc_review", target, {"cause": "event"}) + step("step_kyc_subject", target, {"command": "submit"})
        out += step("propose_kyc_decision", target, {"command": "reject", "rationale": "\u00a7 1 \u2013 " + "\u4e2d" * 3990})
    return out + to_each("dispose_kyc_match", "SELECT id FROM aegis_app.kyc_match", {"disposition": "false_positive", "rationale": "nicht\u00a0sie"})


def second_looks():
    """What a second person of a higher rank says; the user is made reporting officer, and hears of a suspicion."""
    out = to_each("judge_kyc_document", "SELECT id FROM aegis_app.kyc_document", {"state": "rejected", "remark": "unscharf \u2013 \U0001F648"})
    out += to_each("confirm_kyc_match", "SELECT id FROM aegis_app.kyc_match", {"agreed": True})
    out += to_each("complete_kyc_review", "SELECT id FROM aegis_app.kyc_review", {"outcome": "changed", "findings": "ge\u00e4ndert\n\u2022 Adre\u00df\u00e9"})
    out += to_each("decide_kyc_decision", "SELECT id FROM aegis_app.kyc_decision", {"state": "confirmed", "remark": "\u2714"})
    out += to_each("place_kyc_hold", "SELECT id FROM aegis_app.kyc_subject", {"reason": "Proze\u00df \u2116 4"})
    out += "INSERT INTO aegis_app.reporting_officer (user_id) SELECT id FROM aegis.users() WHERE id <> aegis.user_id();\n"
    return out + to_each("file_suspicion_report", "SELECT id FROM aegis_app.kyc_subject", {"narrative": "\u7591\u3044 \U0001F50D " * 900})


def suspicions():
    """The reporting officer passes one report on, and dismisses the others."""
    rows = "SELECT (r ->> 'id')::uuid AS id FROM aegis_app.suspicion_reports(NULL, 'received', %d, NULL) r"
    return (to_each("decide_suspicion_report", rows % 1, {"state": "disclosed", "reason": "\u00fcber 10 000 \u20ac", "reference": "AZ \u2116 \u00bd"})
            + to_each("decide_suspicion_report", rows % 100, {"state": "dismissed", "reason": "kein Grund \u2013 \u5c71"}))


def fill_kyc(fill):
    for admin in range(0, len(fill.logins), 2):
        fill.as_user(admin + 1, checks(fill, admin))
        fill.as_user(admin, second_looks())
        fill.as_user(admin + 1, suspicions())
        fill.database.value("SELECT aegis.wait_sealed('60 s')")
