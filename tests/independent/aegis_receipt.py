# SPDX-License-Identifier: Apache-2.0
"""receipt-v1, written a second time from docs/format/receipt-v1.md.

    aegis_receipt.py FILE VKEY ORIGIN     checks a receipt; prints what its entry says
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import aegis_format as f  # noqa: E402
import aegis_note as n  # noqa: E402
import aegis_proof as p  # noqa: E402
from aegis_format import Refused  # noqa: E402

TYPE = "aegis/receipt/1"


def receipt(body, leaf, size, path, log_id, index, root_path, note):
    return n.proof_file(index, root_path, note, f.cbor([TYPE, body, leaf, size, list(path), log_id]))


def read_extra(data):
    """(body, leaf, size, path, log id)"""
    value = f.cbor_read(data)
    if not isinstance(value, list) or len(value) != 6 or value[0] != TYPE:
        raise Refused("not a receipt")
    _, body, leaf, size, path, log_id = value
    if not isinstance(body, bytes) or any(isinstance(v, bool) or not isinstance(v, int) for v in (leaf, size)) \
            or not 0 <= leaf < size or not isinstance(path, list) or len(path) > 64:
        raise Refused("an item of a receipt")
    if not all(isinstance(h, bytes) and len(h) == 32 for h in path + [log_id]):
        raise Refused("a hash of a receipt")
    return body, leaf, size, path, log_id


def check_receipt(data, vkey, origin, tenant=None):
    """The fields of the entry in the bytes of a receipt; Refused when anything does not hold."""
    index, root_path, carried, extra = n.read_proof_file(data)
    if not extra:
        raise Refused("no extra")
    body, leaf, size, path, log_id = read_extra(n.from_base64(extra))
    note = n.read_note(carried)
    if not n.is_signed(note, n.read_note_key(vkey)):
        raise Refused("not signed")
    its_origin, total, root = n.read_checkpoint(note[0])
    if its_origin != origin:
        raise Refused("another log")
    entry = f.read_entry(body)
    if tenant is not None and entry.get(2) != tenant:
        raise Refused("another tenant")
    log_root = p.inclusion_root(leaf, size, f.merkle_leaf(body), path)
    p.verify_inclusion(index, total, f.merkle_leaf(f.head_leaf_data(log_id, size, log_root)), root_path, root)
    return entry


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        try:
            entry = check_receipt(file.read(), sys.argv[2], sys.argv[3])
        except Refused as refused:
            print("refused:", refused)
            return 1
    for key, value in entry.items():
        print(key, value.hex() if isinstance(value, bytes) else value)
    return 0


if __name__ == "__main__":
    sys.exit(main())
