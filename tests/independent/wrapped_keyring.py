#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Wrapped keyrings, read and written from docs/format/wrapped-keyring-v1.md.

    wrapped_keyring.py open KEYFILE < WRAPPED > KEYRING
    wrapped_keyring.py wrap KEYFILE VERSION < KEYRING > WRAPPED    the first key, under another version

KEYFILE holds the 32 bytes of the AES key that in earnest nobody has but the token."""
import os
import re
import sys

from aegis_cipher import Refused, gcm_open, gcm_seal
from live_keys import read_provider

LABEL = b"aegis/wrapped-key/1"


def context(version):
    return LABEL + version.to_bytes(4, "big")


def wrap(key, version, nonce, master):
    return nonce + gcm_seal(key, nonce, context(version), master)


def unwrap(key, version, wrapped):
    return gcm_open(key, wrapped[:12], context(version), wrapped[12:])


def read(text):
    """{version: 60 wrapped bytes}"""
    keys = {}
    for line in text.split("\n"):
        line = line.strip(" \t\r")
        if line == "" or line.startswith("#"):
            continue
        found = re.fullmatch(r"([1-9][0-9]*):([0-9a-fA-F]{120})", line)
        if not found or int(found[1]) > 2147483647 or int(found[1]) in keys:
            raise Refused("line of a wrapped keyring")
        keys[int(found[1])] = bytes.fromhex(found[2])
    if not 1 <= len(keys) <= 8:
        raise Refused("number of keys")
    return keys


def main():
    with open(sys.argv[2], "rb") as file:
        key = file.read()
    given = sys.stdin.read()
    if sys.argv[1] == "open":
        for version, wrapped in sorted(read(given).items()):
            print("%d:%s" % (version, unwrap(key, version, wrapped).hex()))
    else:
        version = int(sys.argv[3])
        print("%d:%s" % (version, wrap(key, version, os.urandom(12), min(read_provider(given).items())[1]).hex()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
