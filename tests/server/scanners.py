#!/usr/bin/env python3
"""What other people's scanners say of the gateway: sslscan, testssl.sh, csp_evaluator and MDN's HTTP Observatory."""
import contextlib
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
import xml.etree.ElementTree as xml

sys.dont_write_bytecode = True
from fixture import Client, Cluster, Gateway, Report, free_port  # noqa: E402
from fixture.process import ROOT, USER, environment, run, write  # noqa: E402
from fixture.report import equal  # noqa: E402

LONG = os.environ.get("AEGIS_LONG") == "yes"
HOST = "console.example.test"  # a name that the Observatory takes; it leads here
PAGES = ("/", "/login", "/dashboard", "/api/health", "/api/none")
# What a scanner holds against every certificate of a private authority, and against the OpenSSL that it runs with itself; and tickets,
# which TLS 1.3 sends after the handshake: it may have left by then.
NOT_OF_THE_GATEWAY = re.compile(
    r"^(cert_|DNS_CAA|OCSP_|CT$|certificate_transparency|cert$|intermediate_cert|engine_problem$|sessionresumption_ticket$)")


def certified(gateway):
    """A certificate of an authority made for this run, as a public one would be: two certificates, a name and a year."""
    place = os.path.join(gateway.folder, "ca")
    os.makedirs(place, exist_ok=True)
    shutil.chown(place, USER)
    extensions = os.path.join(place, "extensions")
    write(extensions, f"subjectAltName = DNS:localhost, DNS:{HOST}\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = serverAuth\nbasicConstraints = CA:FALSE\n")
    ca, request = os.path.join(place, "ca.crt"), os.path.join(place, "request")
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=Test Authority",
         "-keyout", f"{place}/ca.key", "-out", ca])
    run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
         "-keyout", gateway.key, "-out", request])
    run(["openssl", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", f"{place}/ca.key", "-CAcreateserial", "-days", "30",
         "-extfile", extensions, "-out", gateway.certificate])
    os.chmod(gateway.key, 0o600)
    gateway.certificate = ca  # what its clients trust
    return ca


def scan(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/", stdin=subprocess.DEVNULL,
                          env=environment(options.pop("variables", None)), timeout=600, check=False, **options)
    return done.stdout or done.stderr


def missing(report, name, program, verb="check"):
    if shutil.which(program):
        return False
    report.count += 1
    print(f"skip scanners/{name} ({program} is not installed: ./aegis check{'' if verb == 'check' else ' --long'} does that)")
    return True


def with_sslscan(report, gateway):
    if missing(report, "sslscan", "sslscan"):
        return
    found = xml.fromstring(scan(["sslscan", "--no-colour", "--xml=-", "--sni-name=localhost", f"127.0.0.1:{gateway.port}"])).find("ssltest")
    with report.test("sslscan/protocols"):
        spoken = {f"{p.get('type')} {p.get('version')}" for p in found.findall("protocol") if p.get("enabled") == "1"}
        equal(spoken, {"tls 1.3"}, "protocols")
    with report.test("sslscan/ciphers"):
        ciphers = {c.get("cipher"): int(c.get("bits")) for c in found.findall("cipher")}
        assert ciphers and set(ciphers) <= {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}, ciphers
    with report.test("sslscan/known-weaknesses"):
        equal(found.find("compression").get("supported") if found.find("compression") is not None else "0", "0", "compression")
        equal([h.get("sslversion") for h in found.findall("heartbleed") if h.get("vulnerable") == "1"], [], "heartbleed")
        groups = {g.get("name") for g in found.findall("group")}
        assert groups and groups <= {"x25519", "secp256r1 (NIST P-256)", "x448", "secp384r1 (NIST P-384)", "secp521r1 (NIST P-521)"}, groups


def with_testssl(report, gateway, authority):
    if not LONG:
        report.count += 1
        print("skip scanners/testssl (takes more than a minute)")
        return
    if missing(report, "testssl", "testssl", "long"):
        return
    answers = os.path.join(gateway.folder, "testssl.json")
    scan(["testssl", "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none", "--ip", "127.0.0.1", "--add-ca", authority,
          "--jsonfile", answers, f"https://localhost:{gateway.port}/"])
    with open(answers, encoding="utf-8") as file:
        findings = json.load(file)
    with report.test("testssl/findings"):
        bad = [(f["id"], f["severity"], f["finding"]) for f in findings
               if f["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL", "WARN") and not NOT_OF_THE_GATEWAY.match(f["id"])]
        equal(bad, [], "findings")
        assert len(findings) > 60, len(findings)


def with_csp_evaluator(report, client):
    policies = {}
    for page in PAGES:
        policies[page] = client.request("GET", page).headers["content-security-policy"]
    done = subprocess.run(["node", os.path.join(ROOT, "tests", "stock", "csp.mjs")], input="".join(p + "\n" for p in policies.values()),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), check=False)
    for page, line in zip(policies, done.stdout.splitlines() or [done.stderr] * len(policies)):
        with report.test(f"csp_evaluator{page}"):
            equal(json.loads(line), [], policies[page])
    with report.test("csp_evaluator/sees what is weak"):
        weak = subprocess.run(["node", os.path.join(ROOT, "tests", "stock", "csp.mjs")], input="script-src 'unsafe-inline'\n",
                              stdout=subprocess.PIPE, text=True, env=environment(), check=True)
        assert len(json.loads(weak.stdout)) >= 1, weak.stdout


def observed(plain, secure, authority):
    """The grade, the score, and the tests that were not passed."""
    done = subprocess.run(["node", os.path.join(ROOT, "tests", "stock", "observatory.mjs"), HOST, str(plain), str(secure)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
                          env=environment({"NODE_EXTRA_CA_CERTS": authority}), timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert len(found["tests"]) == 10, found
    return found["grade"], found["score"], {name: test["result"] for name, test in found["tests"].items() if not test["pass"]}


@contextlib.contextmanager
def answering(handler, certificate=None, key=None):
    """A server of ours on a port that it gives."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def without(gateway, fields):
    """Passes on what the gateway answers, and leaves these fields out."""
    class Forgetful(http.server.BaseHTTPRequestHandler):
        def answer(self):
            client = Client(gateway)
            reply = client.request(self.command, self.path)
            client.close()
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                if name not in fields and name not in ("connection", "content-length", "transfer-encoding"):
                    for one in value if isinstance(value, list) else [value]:
                        self.send_header(name, one)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_OPTIONS = answer  # noqa: N815 - the names are the library's

        def log_message(self, *_):
            pass
    return Forgetful


class Careless(http.server.BaseHTTPRequestHandler):
    """A page as most servers send it."""

    def do_GET(self):  # noqa: N802 - the name is the library's
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html><body>page</body></html>")

    def log_message(self, *_):
        pass


def with_observatory(report, gateway, redirect, served, authority):
    def skip(why):
        report.count += 1
        print(f"skip scanners/observatory ({why})")
    if not os.path.isdir(os.path.join(ROOT, "tests", "npm", "node_modules", "@mdn", "mdn-http-observatory")):
        return skip("the packages of tests/npm are not installed: ./aegis check does that")
    version = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < 20:
        return skip(f"it wants Node 20, and this is {version}")
    with report.test("observatory/grade"):
        grade, score, failed = observed(redirect, gateway.port, authority)
        print(f"# {grade}, {score} points")
        equal((grade, failed), ("A+", {}), "grade and failed tests")
    missed = ("content-security-policy", "strict-transport-security", "x-content-type-options")
    with report.test("observatory/misses what is left out"), answering(without(gateway, missed), served, gateway.key) as port:
        grade, _, failed = observed(redirect, port, authority)
        assert grade != "A+" and set(failed) >= set(missed), (grade, failed)
    with report.test("observatory/sees what is weak"), answering(Careless) as port:
        grade, _, failed = observed(port, free_port(), authority)
        equal((grade, len(failed) >= 4), ("F", True), failed)
    return None


def main():
    report = Report("scanners")
    with Cluster() as cluster:
        redirect = free_port()
        gateway = Gateway(cluster, {"redirect": {"listen": f"127.0.0.1:{redirect}"}})
        served = gateway.certificate
        authority = certified(gateway)
        with gateway:
            client = Client(gateway)
            with_sslscan(report, gateway)
            with_csp_evaluator(report, client)
            with_observatory(report, gateway, redirect, served, authority)
            with_testssl(report, gateway, authority)
            client.close()
    report.finish()


if __name__ == "__main__":
    main()
