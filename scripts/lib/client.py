"""The ways into an installation that the guided walk uses: HTTPS and psql, and a payer's browser. Every call is printed."""
import http.client
import json
import ssl
import subprocess
import urllib.parse

SHOWN = 160  # characters of an answer that are printed
LINES = 12    # and how many of its lines


class WrongAnswer(Exception):
    """What came back is not what must come back."""


def shorten(text):
    text = " ".join(str(text).split())
    return text if len(text) <= SHOWN else text[:SHOWN - 2] + " …"


class Gateway:
    """HTTPS requests to the gateway, its certificate checked; one signed-in user or nobody."""

    def __init__(self, port, certificate):
        self.port, self.tls, self.token = port, ssl.create_default_context(cafile=certificate), None

    def request(self, method, path, body=None, headers=None):
        """Status and decoded body. Prints what was asked and what came back, passwords and tokens left out."""
        print("   >", method, path, shorten(json.dumps(hide(body), ensure_ascii=False)) if body is not None else "",
              " ".join(f"[{name}: {value}]" for name, value in (headers or {}).items()))
        sent = dict(headers or {})
        if self.token:
            sent["Authorization"] = "Bearer " + self.token
        if body is not None:
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=30, context=self.tls)
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        answer = json.loads(text) if text else None
        print("   <", response.status, shorten(json.dumps(hide(answer), ensure_ascii=False)))
        return response.status, answer

    def sign_in(self, tenant, email, password):
        status, answer = self.request("POST", "/api/session",
                                      {"tenant": tenant, "email": email, "password": password, "token": True})
        if status != 201:
            raise WrongAnswer(f"sign-in as {email} was answered with {status}")
        self.token = answer["token"]
        return answer


class Provider:
    """The simulated payment provider: its control interface, and its pages as a payer's browser sees them."""

    def __init__(self, address, certificate):
        self.address, self.tls = address, ssl.create_default_context(cafile=certificate)

    def post(self, url, body, kind):
        place = urllib.parse.urlsplit(url)
        connection = http.client.HTTPSConnection(place.hostname, place.port, timeout=30, context=self.tls)
        connection.request("POST", place.path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def control(self, name, **given):
        print("   provider>", name, shorten(json.dumps({k: "…" if k == "secret" else v for k, v in given.items()})))
        status, text = self.post(f"{self.address}/control/{name}", json.dumps(given), "application/json")
        if status != 200:
            raise WrongAnswer(f"the simulated provider does {name}: {text}")
        return json.loads(text)

    def pay(self, page, card):
        print("   payer>", shorten(page))
        status, _ = self.post(page, urllib.parse.urlencode({"card": card}), "application/x-www-form-urlencoded")
        print("   <", status)
        return status


def hide(body):
    if not isinstance(body, dict):
        return body
    return {name: "…" if name in ("password", "token", "secret", "credential") and isinstance(value, (str, dict)) else value for name, value in body.items()}


class Database:
    """Statements through psql, as one of the login roles of the private cluster."""

    def __init__(self, psql, socket, database="aegis"):
        self.psql, self.socket, self.database = psql, socket, database

    def run(self, role, *statements, shown=LINES):
        """Succeeded, and the rows or the error as text. Each statement is sent by itself."""
        for statement in statements:
            print(f"   {role}=>", shorten(statement))
        command = [self.psql, "-XAtq", "-F", " | ", "-v", "ON_ERROR_STOP=1", "-h", self.socket, "-U", role, "-d", self.database]
        for statement in statements:
            command += ["-c", statement]
        return answer_of(command, shown)


def answer_of(command, shown=LINES):
    """Succeeded, and what the program printed, errors included."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    text = (done.stdout + done.stderr).strip()
    for line in text.split("\n")[:shown]:
        print("   <", shorten(line))
    return done.returncode == 0, text
