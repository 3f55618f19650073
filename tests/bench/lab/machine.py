"""The machine and the versions of everything that is compared."""
import datetime
import json
import os
import re
import ssl
import subprocess

from fixture.process import ROOT, environment

PACKAGES = ("postgresql-15", "postgresql-15-pgaudit", "libssl3", "libargon2-1", "libcpp-httplib0.11", "wrk", "nodejs", "gcc")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def packages():
    versions = {}
    for name in PACKAGES:
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True,
                              env=environment(), check=False)
        if done.returncode == 0 and done.stdout:
            versions[name] = done.stdout
    lock = json.loads(read(os.path.join(ROOT, "tests", "npm", "package-lock.json")))["packages"]
    for name in ("fastify", "pg", "postgraphile"):
        versions[name] = lock[f"node_modules/{name}"]["version"]
    return versions


def describe():
    cpu = re.search(r"^model name\s*: (.*)$", read("/proc/cpuinfo"), re.M)
    memory = int(re.search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo"), re.M).group(1))
    system = re.search(r'^PRETTY_NAME="(.*)"$', read("/etc/os-release"), re.M)
    return {
        "when": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": os.environ.get("AEGIS_COMMIT", "unknown"),
        "cpu": cpu.group(1) if cpu else "unknown", "cpus": os.cpu_count(), "memory_gib": round(memory / 1048576, 1),
        "system": system.group(1) if system else "unknown", "kernel": os.uname().release,
        "openssl": ssl.OPENSSL_VERSION, "packages": packages(),
    }


def text(known):
    versions = ", ".join(f"{name} {version}" for name, version in known["packages"].items())
    return (f"{known['when']}, commit {known['commit']}: {known['cpus']} x {known['cpu']}, {known['memory_gib']} GiB, "
            f"{known['system']}, Linux {known['kernel']}\n{known['openssl']}; {versions}")
