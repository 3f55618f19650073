// SPDX-License-Identifier: Apache-2.0
// What is signed extends what was signed last, and the signer checks that: it is asked with a
// consistency proof. Whatever goes wrong here, sealing goes on; a refusal is made known once.
#include "core/add_checkpoint.hpp"
#include "core/note.hpp"

#include "checkpoint.hpp"

#include "checkpoint_socket.hpp"
#include "guc.hpp"
#include "ledger.hpp"
#include "ledger_tables.hpp"
#include "pg/function.hpp"
#include "pg/statement.hpp"
#include "tree.hpp"
#include "worker.hpp"

namespace aegis::checkpoint {

namespace {

constexpr int kDeadlineMillis = 1000;
constexpr int64 kPatienceMillis = 60000;
constexpr int64_t kLookMicros = 1000000;
constexpr int64_t kLongestPauseMicros = 10 * 1000000;

enum class Trouble { none, settings, unreachable, unknown, failed, signature, shorter, history };

// Of this process; a new worker asks at once and says again what hinders it.
Trouble trouble = Trouble::none;
int64_t next_look_micros = 0;
int64_t next_request_micros = 0;
int64_t looked_micros = 0;  // when the current look began
int64_t pause_micros = 0;
bool refusal_recorded = false;

struct Head {
    bool exists;
    int64 seal;
    uint64 size;
    core::Digest root;
};

struct Signed {  // the newest row of aegis.checkpoint that is about this log
    int64 number;
    uint64 size;
    core::Digest root;
};

struct Request {
    const char *origin;
    Head head;
    uint64 old;
    size_t size;
    uint8_t body[core::kMaxAddCheckpointBytes];
};

void publish(Standing standing) {
    worker::Slot *slot = worker::slot();
    if (slot != nullptr) slot->checkpoint.store(static_cast<uint32_t>(standing));
}

// All that was sealed when this look began is signed. A ledger that never rests is never found
// covered by a later look.
void covered() {
    publish(Standing::signing);
    worker::Slot *slot = worker::slot();
    if (slot != nullptr) slot->signed_micros.store(looked_micros);
}

bool is_refusal(Trouble what) {
    return what == Trouble::shorter || what == Trouble::history;
}

core::Digest digest_at(uint64 row, int number) {
    bool is_null;
    Datum value = pg::column(row, number, &is_null);
    core::ByteView bytes = is_null ? core::ByteView() : pg::varlena_view(value);
    if (bytes.size != core::kDigestBytes)
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                        errmsg("a head of the ledger's root log is damaged")));
    core::Digest digest;
    memcpy(digest.bytes, bytes.data, bytes.size);
    return digest;
}

Head newest_head() {
    static pg::Statement statement = {
        "SELECT number, root_size, root FROM aegis.seal ORDER BY number DESC LIMIT 1",
        0,
        {},
        nullptr};
    Head head = {};
    bool is_null;
    head.exists = pg::read(statement, nullptr) == 1;
    if (!head.exists) return head;
    head.seal = DatumGetInt64(pg::column(0, 1, &is_null));
    head.size = static_cast<uint64>(DatumGetInt64(pg::column(0, 2, &is_null)));
    head.root = digest_at(0, 3);
    return head;
}

// A log begins anew under another name; its first checkpoint extends nothing.
Signed last_signed(const char *origin) {
    static pg::Statement statement = {
        "SELECT number, size, root, pg_catalog.split_part(note, E'\\n', 1) = $1 FROM "
        "aegis.checkpoint"
        " ORDER BY number DESC LIMIT 1",
        1,
        {TEXTOID},
        nullptr};
    Datum values[1] = {CStringGetTextDatum(origin)};
    Signed last = {};
    bool is_null;
    if (pg::read(statement, values) == 0) return last;
    last.number = DatumGetInt64(pg::column(0, 1, &is_null));
    if (!DatumGetBool(pg::column(0, 4, &is_null))) return last;
    last.size = static_cast<uint64>(DatumGetInt64(pg::column(0, 2, &is_null)));
    last.root = digest_at(0, 3);
    return last;
}

const char *log_name() {
    static char name[1024];
    const char *database = get_database_name(MyDatabaseId);
    pg::raise(pg::run([&] {
        strlcpy(name, core::log_origin(guc::ledger_origin, database).c_str(), sizeof name);
    }));
    return name;
}

core::Checkpoint to_sign(const Request &request) {
    core::Checkpoint checkpoint;
    checkpoint.origin = request.origin;
    checkpoint.size = request.head.size;
    checkpoint.root = request.head.root;
    return checkpoint;
}

void prepare(Request *request, uint64 old) {
    static tree::Path path;
    path.count = 0;
    if (old > 0 && old < request->head.size)
        path = tree::consistency(tree::kRootLog, old, request->head.size);
    request->old = old;
    pg::raise(pg::run([&] {
        const std::string text = core::format_checkpoint(to_sign(*request));
        core::AddCheckpoint form;
        form.old = old;
        form.proof.assign(path.hashes, path.hashes + path.count);
        form.text = text;
        const std::string body = core::format_add_checkpoint(form);
        if (body.size() > sizeof request->body)
            throw core::Error{core::Code::too_long, "the request to the signer is too long"};
        memcpy(request->body, body.data(), body.size());
        request->size = body.size();
    }));
}

int status_of(const Reply &reply) {
    for (const char *status : {"200", "400", "403", "404", "409", "422", "500"})
        if (strncmp(reply.text, status, 3) == 0 && reply.text[3] == '\n') return atoi(status);
    return 0;
}

// The size behind a 409. False when it is none.
bool size_of(const Reply &reply, uint64 *size) {
    pg::Report report = pg::run([&] {
        std::string_view rest(reply.text + 4, reply.size - 4);
        *size = core::parse_decimal(core::take_line(&rest));
    });
    return !report.failed;
}

// Says what is in the way, once for each change, and enters a refusal in the ledger, once.
void report(Trouble what, const Request &request, const Reply &reply, uint64 signed_size) {
    if (is_refusal(what) && !refusal_recorded) {
        static uint8_t bytes[256];
        ledger::DetailPair pairs[] = {
            {"reason", what == Trouble::shorter ? "shorter" : "other history", 0},
            {"signed_size", nullptr, static_cast<int64>(signed_size)},
            {"size", nullptr, static_cast<int64>(request.head.size)}};
        ledger::Event event = {};
        event.type = "ledger.checkpoint_refused";
        event.outcome = core::Outcome::denied;
        event.detail = ledger::encode_detail(pairs, lengthof(pairs), core::ByteSpan(bytes));
        ledger::append(event);
        refusal_recorded = true;
    }
    publish(is_refusal(what) ? Standing::refused : Standing::hindered);
    // Who is not there costs nothing; who hangs or refuses is left alone for longer.
    if (what == Trouble::unreachable && reply.error != 0) pause_micros = 0;
    pause_micros = Min(Max(2 * pause_micros, guc::checkpoint_interval_ms * INT64CONST(1000)),
                       Max(kLongestPauseMicros, guc::checkpoint_interval_ms * INT64CONST(1000)));
    next_request_micros = worker::now_micros() + pause_micros;
    if (what == trouble) return;
    trouble = what;
    const char *goes_on = "Sealing goes on; what was sealed since is signed later.";
    switch (what) {
        case Trouble::none:
            return;
        case Trouble::settings:
            ereport(WARNING, (errcode(ERRCODE_CONFIG_FILE_ERROR),
                              errmsg("checkpoints cannot be signed: \"%s\" is not set",
                                     *guc::ledger_origin == '\0' ? "aegis.ledger_origin"
                                                                 : "aegis.ledger_key"),
                              errhint("See docs/signer.md.")));
            return;
        case Trouble::unreachable:
            errno = reply.error;
            ereport(WARNING,
                    (errcode(ERRCODE_CONNECTION_FAILURE),
                     reply.error != 0 ? errmsg("could not reach the signer at \"%s\": %s: %m",
                                               guc::signer, reply.fault)
                                      : errmsg("could not reach the signer at \"%s\": %s",
                                               guc::signer, reply.fault),
                     errdetail("%s", goes_on)));
            return;
        case Trouble::unknown:
            ereport(WARNING, (errcode(ERRCODE_CONFIG_FILE_ERROR),
                              errmsg("the signer does not know the log \"%s\"", request.origin),
                              errhint("Begin it with \"aegis-signer add\", see docs/signer.md.")));
            return;
        case Trouble::failed:
            ereport(WARNING, (errcode(ERRCODE_CONNECTION_FAILURE),
                              errmsg("the signer could not sign: it answered %d", status_of(reply)),
                              errdetail("%s", goes_on), errhint("Its log says why.")));
            return;
        case Trouble::signature:
            ereport(WARNING,
                    (errcode(AEGIS_ERRCODE_KEY_CHECK),
                     errmsg("what the signer sent is not a signature by \"aegis.ledger_key\""),
                     errdetail("It was not stored."),
                     errhint("\"aegis-signer key\" prints the key to set.")));
            return;
        case Trouble::shorter:
            ereport(WARNING,
                    (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                     errmsg("the signer refused the head of the ledger: " UINT64_FORMAT
                            " heads were signed, " UINT64_FORMAT " are here",
                            signed_size, request.head.size),
                     errdetail("The ledger is shorter than what was signed: it was restored from "
                               "an older state or cut. No checkpoint is stored."),
                     errhint("See docs/signer.md, \"Procedures\".")));
            return;
        case Trouble::history:
            ereport(
                WARNING,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("the signer refused the head of the ledger: it does not extend "
                        "the " UINT64_FORMAT " heads that were signed",
                        signed_size),
                 errdetail("The ledger has another history than the one that was signed: it was "
                           "restored from an older state, or rewritten. No checkpoint is stored."),
                 errhint("See docs/signer.md, \"Procedures\".")));
            return;
    }
}

// The key of aegis.ledger_key under the name of this log: one key signs for every database.
bool open_note(const Request &request, const Reply &reply, char **note) {
    static char text[2 * kMaxReplyBytes];
    pg::Report report = pg::run([&] {
        const std::string made = core::format_checkpoint(to_sign(request)) + "\n" +
                                 std::string(reply.text + 4, reply.size - 4);
        core::open_checkpoint(made,
                              core::renamed(core::parse_note_key(guc::ledger_key), request.origin));
        if (made.size() >= sizeof text)
            throw core::Error{core::Code::too_long, "the signer's answer is too long"};
        strlcpy(text, made.c_str(), sizeof text);
    });
    *note = text;
    return !report.failed;
}

void store(const Request &request, const Signed &last, const char *note) {
    static pg::Statement statement = {
        "INSERT INTO aegis.checkpoint (number, seal, size, root, signed_at, note)"
        " VALUES ($1, $2, $3, $4, pg_catalog.clock_timestamp(), $5)",
        5,
        {INT8OID, INT8OID, INT8OID, BYTEAOID, TEXTOID},
        nullptr};
    Datum values[5] = {Int64GetDatum(last.number + 1), Int64GetDatum(request.head.seal),
                       Int64GetDatum(static_cast<int64>(request.head.size)),
                       PointerGetDatum(pg::copy_varlena(request.head.root.view())),
                       CStringGetTextDatum(note)};
    ledger_tables::own_change([&] { pg::execute(statement, values); });
    if (trouble != Trouble::none)
        ereport(LOG, (errmsg("checkpoints of the ledger are signed again")));
    trouble = Trouble::none;
    refusal_recorded = false;
    next_look_micros = 0;
    pause_micros = 0;
    covered();
}

void have_signed(const Head &head, const Signed &last, const char *origin) {
    static Request request;
    static Reply reply;
    request.origin = origin;
    request.head = head;
    next_request_micros = worker::now_micros() + guc::checkpoint_interval_ms * INT64CONST(1000);
    if (last.size > head.size) {  // the rows of the log are fewer than those of its checkpoints
        reply = {};
        report(Trouble::shorter, request, reply, last.size);
        return;
    }
    prepare(&request, last.size);
    ask(guc::signer, {request.body, request.size}, kDeadlineMillis, &reply);
    uint64 size = last.size;
    if (reply.fault == nullptr && status_of(reply) == 409 && size_of(reply, &size) &&
        size <= head.size && size != last.size) {
        // Signed, but not stored: the server went down in between. Or the signer forgot.
        if (size < last.size)
            ereport(LOG, (errmsg("the signer went back: it signed " UINT64_FORMAT
                                 " heads, the newest checkpoint here has " UINT64_FORMAT,
                                 size, last.size)));
        prepare(&request, size);
        ask(guc::signer, {request.body, request.size}, kDeadlineMillis, &reply);
    }
    char *note;
    if (reply.fault != nullptr) {
        report(Trouble::unreachable, request, reply, size);
        return;
    }
    switch (status_of(reply)) {
        case 200:
            if (open_note(request, reply, &note))
                store(request, last, note);
            else
                report(Trouble::signature, request, reply, size);
            return;
        case 404:
            report(Trouble::unknown, request, reply, size);
            return;
        case 409:
            report(size > head.size ? Trouble::shorter : Trouble::failed, request, reply, size);
            return;
        case 422:
            report(Trouble::history, request, reply, size);
            return;
        default:
            report(Trouble::failed, request, reply, size);
    }
}

void look() {
    const char *origin = log_name();
    Head head = newest_head();
    if (!head.exists) return;
    Signed last = last_signed(origin);
    if (last.size == head.size &&
        memcmp(last.root.bytes, head.root.bytes, core::kDigestBytes) == 0) {
        trouble = Trouble::none;
        covered();
    } else if (worker::now_micros() >= next_request_micros) {
        have_signed(head, last, origin);
    }
}

}  // namespace

const char *name_of(Standing standing) {
    switch (standing) {
        case Standing::off:
            return "off";
        case Standing::waiting:
            return "waiting";
        case Standing::signing:
            return "signing";
        case Standing::hindered:
            return "hindered";
        case Standing::refused:
            return "refused";
    }
    return "off";
}

Standing standing() {
    worker::Slot *slot = worker::slot();
    return slot == nullptr ? Standing::off : static_cast<Standing>(slot->checkpoint.load());
}

int64 lag_ms() {
    worker::Slot *slot = worker::slot();
    int64_t since = slot == nullptr ? 0 : slot->signed_micros.load();
    return since == 0 ? -1 : Max(worker::now_micros() - since, 0) / 1000;
}

bool is_well() {
    switch (standing()) {
        case Standing::off:
        case Standing::waiting:
            return true;
        case Standing::refused:
            return false;
        case Standing::signing:  // also while an error keeps the step from asking
        case Standing::hindered:
            return lag_ms() < kPatienceMillis + 2 * guc::checkpoint_interval_ms;
    }
    return false;
}

void tend() {
    if (*guc::signer == '\0' || guc::restore_mode || RecoveryInProgress()) {
        publish(Standing::off);
        trouble = Trouble::none;
        next_look_micros = next_request_micros = 0;
        return;
    }
    worker::Slot *slot = worker::slot();
    if (slot != nullptr && slot->checkpoint.load() == static_cast<uint32_t>(Standing::off)) {
        publish(Standing::waiting);
        slot->signed_micros.store(worker::now_micros());
    }
    // Only this process seals: nothing was sealed since its transaction began.
    looked_micros = worker::now_micros();
    if (looked_micros < next_look_micros) return;
    next_look_micros =
        looked_micros + Min(kLookMicros, guc::checkpoint_interval_ms * INT64CONST(1000));
    if (*guc::ledger_origin == '\0' || *guc::ledger_key == '\0') {
        static Request none;
        static Reply reply;
        report(Trouble::settings, none, reply, 0);
        return;
    }
    if (trouble == Trouble::settings) next_request_micros = 0;
    const ledger_tables::Oids *oids = ledger_tables::find();
    if (oids == nullptr) return;
    // A ledger from which nothing can be asked for is not signed, and must not look as if it were.
    PG_TRY();
    {
        if (!OidIsValid(oids->checkpoint) || !OidIsValid(oids->tree_node))
            ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                            errmsg("the ledger of this database has no table for checkpoints"),
                            errdetail("It was dropped, or the database was made by an older "
                                      "version of the extension."),
                            errhint("Nothing is signed here. See docs/checkpoint.md.")));
        pg::Identity caller = pg::enter();
        look();
        pg::leave(caller);
    }
    PG_CATCH();
    {
        publish(Standing::hindered);
        PG_RE_THROW();
    }
    PG_END_TRY();
}

}  // namespace aegis::checkpoint
