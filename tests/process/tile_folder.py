#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A log of a throw-away cluster as files, as its addresses over HTTP would serve it.

    tile_folder.py PSQL SOCKET_FOLDER OUT root
    tile_folder.py PSQL SOCKET_FOLDER OUT UUID          a tenant's log; "system" is that of the system
"""
import os
import subprocess
import sys


def tile_path(kind, index, width):
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at:at + 3] for at in range(0, len(digits), 3)]
    return "tile/%s/%s%s" % (kind, "/".join(["x" + g for g in groups[:-1]] + groups[-1:]), "" if width == 256 else ".p/%d" % width)


def paths(size):
    """Every tile that a log of this size has, as C2SP tlog-tiles names them."""
    level, hashes = 0, size
    while hashes:
        for index in range(-(-hashes // 256)):
            width = min(256, hashes - index * 256)
            yield tile_path(level, index, width)
            if level == 0:
                yield tile_path("entries", index, width)
        level, hashes = level + 1, hashes // 256


def main():
    psql, folder, out, log = sys.argv[1:]

    def ask(statement):
        return subprocess.run([psql, "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", folder, "-U", "postgres", "-d", "postgres", "-c", statement],
                              capture_output=True, text=True, check=True).stdout[:-1]

    tenant = "NULL" if log == "system" else "'%s'" % log
    head = ask("SELECT coalesce(aegis.witnessed_checkpoint(), aegis.latest_checkpoint())" if log == "root" else "SELECT aegis.log_receipt(%s)" % tenant)
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "checkpoint" if log == "root" else "receipt"), "w", encoding="utf-8") as file:
        file.write(head)
    if log == "root":
        size = int(head.split("\n")[1])
    else:
        size = int(ask("SELECT max(l.first_leaf + octet_length(l.leaves) / 32) FROM aegis.seal_leaves l JOIN aegis.tenant_log t USING (log)"
                       " WHERE t.tenant_id IS NOT DISTINCT FROM %s AND l.root IS NOT NULL AND l.seal <= (SELECT seal FROM aegis.checkpoint WHERE number ="
                       " coalesce(aegis.newest_witnessed(), (SELECT max(number) FROM aegis.checkpoint)))" % tenant))
    call = "aegis.root_tile(p)" if log == "root" else "aegis.log_tile(%s, p)" % tenant
    tiles = ask("SELECT p || ' ' || encode(%s, 'hex') FROM unnest('{%s}'::text[]) p" % (call, ",".join(paths(size))))
    for path, data in (line.split(" ") for line in tiles.split("\n") if line):
        data = bytes.fromhex(data)
        os.makedirs(os.path.join(out, os.path.dirname(path)), exist_ok=True)
        with open(os.path.join(out, path), "wb") as file:
            file.write(data)
    print(size)


if __name__ == "__main__":
    main()
