# SPDX-License-Identifier: Apache-2.0
"""Applies every edit of tamper_edits.py to a copy of a database, and asks everybody who might find it.

    tamper.py edit FOLDER PSQL             makes the copies and the edits; the server runs without the library
    tamper.py check FOLDER PSQL VERIFY     asks; the server runs with it, and the signer listens
    tamper.py table                        prints the table of docs/tamper-detection.md

FOLDER holds the server's socket, the signer's (signer), the checkpoint that an auditor kept (kept.note), the head that
aegis-verify kept (kept.head) and the number of the seal of both (kept.seal).
"""
import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(here, "..", "independent")]

import tamper_rebuild as rebuild  # noqa: E402
import tamper_tiles as tiles  # noqa: E402
from tamper_edits import EDITS  # noqa: E402

# Numbered as they stand; without AEGIS_LONG=yes every third one, and all that change the whole ledger.
LONG = os.environ.get("AEGIS_LONG") == "yes"
CHOSEN = [(index, edit) for index, edit in enumerate(EDITS)
          if LONG or index % 3 == 0 or edit.group == "the whole ledger"]
LEAST = 60
ORIGIN = "tamper.example/ledger"
WORKERS = 4


class Database:
    def __init__(self, folder, psql, name):
        self.folder, self.psql, self.name = folder, psql, name
        self.kept_seal = int(read(folder, "kept.seal"))

    def answer(self, sql):
        """(status, output); fields are separated by bars."""
        done = subprocess.run([self.psql, "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "postgres", "-d", self.name, "-f", "-"],
                              input=sql, capture_output=True, text=True)
        return done.returncode, done.stdout if done.returncode == 0 else done.stderr

    def run(self, sql):
        status, output = self.answer(sql)
        if status:
            sys.exit(f"{self.name}: {output}")
        return output

    def rows(self, sql):
        return [line.split("|") for line in self.run(sql).splitlines()]


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def name_of(index):
    return f"copy_{index}"


def make_edits(folder, psql):
    server = Database(folder, psql, "postgres")
    tables = "entry event_type ledger_epoch seal seal_leaves tenant_log tree_node checkpoint cosignature anchor_receipt anchor witness ledger_cut".split()
    free = ("DO $$ DECLARE guard name; BEGIN FOR guard IN SELECT evtname FROM pg_event_trigger LOOP "
            "EXECUTE format('ALTER EVENT TRIGGER %I DISABLE', guard); END LOOP; END $$;")
    free += "".join(f"ALTER TABLE aegis.{table} DISABLE TRIGGER ALL;" for table in tables)

    def make(index, edit):
        source = "older" if edit.sql is rebuild.older else "ledger"
        server.run(f"CREATE DATABASE {name_of(index)} TEMPLATE {source}")
        copy = Database(folder, psql, name_of(index))
        copy.run(free + (edit.sql if isinstance(edit.sql, str) else ""))
        if not isinstance(edit.sql, str):
            edit.sql(copy)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(make, *zip(*CHOSEN)))


QUESTIONS = """
\\echo @v
SELECT checked, subject, detail FROM aegis.verify_ledger() WHERE outcome = 'finding';
\\echo @k
SELECT checked, subject, detail FROM aegis.verify_ledger(checkpoint => $kept${kept}$kept$) WHERE outcome = 'finding';
\\echo @s
SELECT root_size, encode(root, 'base64') FROM aegis.seal ORDER BY number DESC LIMIT 1;
\\echo @b
COPY (SELECT aegis.export_ledger()) TO STDOUT;
"""


def answers(database, kept):
    """What the database says to each question, in one session; an error is an answer."""
    done = subprocess.run([database.psql, "-XAtq", "-h", database.folder, "-U", "postgres", "-d", database.name, "-f", "-"],
                          input=QUESTIONS.replace("{kept}", kept), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = dict(part.split("\n", 1) for part in done.stdout.split("@")[1:])
    if list(said) != list("vksb"):
        sys.exit(f"{database.name}: {done.stdout}")
    return said


def check_bundle(folder, verify, text):
    if "ERROR" in text:  # the export refused
        return text
    done = subprocess.run([verify, "bundle", "-", "--head", os.path.join(folder, "kept.head")], input=text, capture_output=True, text=True)
    return None if done.returncode == 0 else done.stdout + done.stderr


def ask_signer(folder, head):
    """What the signer answers to a head, or None when it signs. It has signed the honest one, and no edit adds to it."""
    size, root = head.strip().split("|")
    signed = read(folder, "signed.size").strip()
    with socket.socket(socket.AF_UNIX) as made:
        made.settimeout(60)
        made.connect(os.path.join(folder, "signer"))
        made.sendall(f"old {signed}\n\n{ORIGIN}\n{size}\n{root}\n".encode())
        made.shutdown(socket.SHUT_WR)
        answer = b""
        while part := made.recv(4096):
            answer += part
    return None if answer.startswith(b"200\n") else answer.decode()


def check(folder, psql, verify):
    kept, key = read(folder, "kept.note"), read(folder, "ledger.key").strip()
    address = tiles.serve(folder) if LONG else None

    def ask(name, database, wanted, says):
        said = answers(database, kept)
        seen = {"v": said["v"] or None, "k": said["k"] or None,
                "b": check_bundle(folder, verify, said["b"]), "s": ask_signer(folder, said["s"])}
        if LONG:
            seen["f"] = tiles.fsck(verify, address, database.name, key)
        found = "".join(letter for letter, what in seen.items() if what is not None)
        wanted = wanted if LONG else wanted.replace("f", "")
        good = found == wanted and (says is None or re.search(says, said["v"], re.M))
        print(f"ok {name}" if good else f"not ok {name}\n  wanted: {wanted} {says}\n  got: {found}\n  {seen}", flush=True)
        return good

    asked = [("the honest ledger", Database(folder, psql, "ledger"), "", None)]
    asked += [(f"{edit.group}: {edit.name}", Database(folder, psql, name_of(index)), edit.found, edit.says)
              for index, edit in CHOSEN]
    with ThreadPoolExecutor(WORKERS) as pool:
        good = all(list(pool.map(ask, *zip(*asked))))
    enough = len(EDITS) >= LEAST and (len(CHOSEN) == len(EDITS) or not LONG)
    print(f"{'ok' if enough else 'not ok'} of {len(EDITS)} edits, which must be {LEAST} at least, {len(CHOSEN)} were made")
    return not (good and enough)


def table():
    print("| what was done | `verify_ledger()` | with a kept checkpoint | `aegis-verify --head` | signer | `aegis-verify fsck` |\n|---|---|---|---|---|---|")
    for edit in EDITS:
        print(f"| {edit.group}: {edit.name} | " + " | ".join("found" if letter in edit.found else "no" for letter in "vkbsf") + " |")


if __name__ == "__main__":
    if sys.argv[1:] == ["table"]:
        table()
    elif len(sys.argv) == 4 and sys.argv[1] == "edit":
        make_edits(*sys.argv[2:])
    elif len(sys.argv) == 5 and sys.argv[1] == "check":
        sys.exit(check(*sys.argv[2:]))
    else:
        sys.exit(__doc__)
