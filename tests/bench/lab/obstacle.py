"""What stands in the way of each goal when it is missed: what the code does there. Below it the page shows the profile of the same
run, and what it adds up to; a sentence here must be one that the profile can bear out."""

READ = ("session, user and tenant are read by their keys and checked by aegis.authenticate, and the walls look at every statement; by hand it is "
        "one join and nobody looks")
WRITE = ("every row is stamped by a trigger in C and checked by the policy, after aegis.authenticate has looked the context up, where by hand one "
         "join does it; both mostly wait for the flush (WALWrite, WALSync)")
SCAN = ("the tenant that the query names and the policy's are compared once, before the scan, but that check is a node of the plan of its own "
        "(Result, see Plans), and every row is handed through it")
ENTRY = ("an entry is one more row and one more index entry in the same transaction: two insertions into pages and their WAL, which everybody's flush "
         "has to carry (WALWrite, WALSync): that much is the floor; beside it a number from the sequence, the encoding of the row's image, its cipher and "
         "its hash; the sealer shares the processors")
CORES = ("an answer passes two sockets more than pgbench's and one thread more, which is the kernel's part, and TLS and HTTP; the client's own "
         "TLS, on the same processors, is not in the profile")
PEER = "both servers have the same two processors as their client and the database; where the peer's share is small, so is the difference"
RANKS = ("the policy's bounds are calls of functions for every row that is compared, by hand they are constants (see Plans); a time of less than "
         "a millisecond is mostly planning")

UNUSED = ("every hook returns at one comparison, but statement, transaction and connection still pass the library's callbacks, of which the end of a "
          "transaction is the dearest")

OBSTACLES = {
    **{f"{name}_{shape}": READ for name in ("point", "range") for shape in ("txn", "pipe", "pipe_many")},
    **{f"{name}_{shape}": WRITE for name in ("insert", "update") for shape in ("txn", "pipe", "pipe_many")},
    **{f"bystander_{work}_{protocol}": UNUSED for work in ("select", "write", "policy", "functions", "ddl") for protocol in ("simple", "prepared")},
    "bystander_connect": UNUSED,
    "one_trip": "the session, its user and its tenant are looked up and checked in every transaction, and the bare statement verifies "
                "nobody: the same look-up written by hand does not reach the goal either",
    "aggregate_serial": SCAN, "aggregate_parallel": SCAN, "aggregate_parallel_many": SCAN,
    **{f"rank_{rank}": RANKS for rank in ("user", "lead", "manager", "admin")},
    "seal": "each value has a key of its own, which OpenSSL derives and expands anew, and a nonce; the rest is the call and the copy",
    "reveal": "each value has a key of its own, which OpenSSL derives and expands anew; the rest is the call, the policy's answer and the copy",
    "pgp": "both are OpenSSL's ciphers; pgp_sym_encrypt as it comes hashes its password thousands of times for each value",
    "blind_index": "an HMAC-SHA256 has two hashes of two blocks each, which OpenSSL computes",
    "reseal": "the job looks every row up, opens it, seals it, writes it and checks what it wrote, 5,000 rows to a transaction",
    "lookup": "the value that is looked for is sealed first, its key expanded, and its token compared",
    **{f"{operation}_{clients}": ENTRY for operation in ("insert", "update") for clients in (1, 8, 32)},
    "hot_1": "one client waits for nobody: what is measured is the machine's noise",
    "hot_8": "entries of one tenant share the last page of its table, and the sessions wait for that page in turn",
    "hot_32": "entries of one tenant share the last page of its table, and the sessions wait for that page in turn",
    "wal": "the image of the row is in the entry once more, and the entry has an index",
    "heap": "the image of the whole row of about 190 bytes, its text as ciphertext with nonce, commitment and tag, is kept with every entry, beside two copies of "
            "the leaf hash, the columns for the sealer and an index entry; the figures beside it say what text in clear takes, and that a trail in JSON, with no hash, is near the goal already",
    "lag": "the sealer takes what it finds in batches and shares the processors with the clients",
    "bulk": "one session seals a million entries: it reads them, hashes them and writes their leaves",
    "open_writer": "a seal also asks for the entries of every transaction that was open at the one before",
    "ten_minutes": "a seal also asks for the entries of every transaction that was open at the one before; the clients that write meanwhile share the processors",
    "verify": "every body is read, decoded and hashed, and its leaf is hashed once more into its tree",
    "proof": "a proof reads the hashes of every level of the tree",
    "ceiling_16": CORES, "ceiling_64": CORES, "fastify_16": PEER, "fastify_64": PEER,
    "half_p99": CORES,
    "full_p99": "256 clients that never pause are answered in turns: 20 ms would need 12,800 answers a second, which is less processor time for an answer than it takes here, "
                "and about as many answers as a program in C gives that only passes them on",
    "served": "ready connections are taken in the order in which the kernel has them",
    "idle": "each connection takes a handshake, and one that has not asked within limits.head_seconds is closed",
    "sign_in_http": "the hash is computed at the lowest priority; beside it stand TLS, the gateway, a session, ledger entries and a flush",
    "sign_in": "the hash is computed at the lowest priority and waits for whoever else computes; beside it stand a session, ledger entries and a flush",
    "scrub_json": "every string is looked at once for digits and escapes, every name against the rules of fields, and strings with digits in them are tried further",
    "flood": "hashes give way only where priorities count between the processes (see Scheduling above), and the memory that they fill is read by everybody's processor cache",
}
