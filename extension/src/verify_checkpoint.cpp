// SPDX-License-Identifier: Apache-2.0
// A database's log may begin anew under another name (docs/signer.md): then checkpoints of the old
// one stay, and only their roots can be checked, for the old key is not here. They must all come
// before those of the new one.
#include "core/checkpoint.hpp"
#include "core/cosignature.hpp"
#include "core/note.hpp"

#include "verify_checkpoint.hpp"

#include "guc.hpp"
#include "pg/function.hpp"
#include "verify_anchor.hpp"

namespace aegis::verify_checkpoint {

namespace {

constexpr const char *kQuery =
    "SELECT number, seal, size, coalesce(root, ''), signed_at, coalesce(note, '')"
    " FROM aegis.checkpoint ORDER BY number";

struct Row {
    int64 number, seal, size;
    core::Digest root;
    bool has_root;
    TimestampTz signed_at;
    const char *note;
};

bool read_row(verify::Cursor *cursor, Row *row) {
    HeapTuple tuple = verify::peek(cursor);
    if (tuple == nullptr) return false;
    TupleDesc shape = cursor->rows->tupdesc;
    bool is_null;
    row->number = DatumGetInt64(SPI_getbinval(tuple, shape, 1, &is_null));
    row->seal = DatumGetInt64(SPI_getbinval(tuple, shape, 2, &is_null));
    row->size = DatumGetInt64(SPI_getbinval(tuple, shape, 3, &is_null));
    Datum root = SPI_getbinval(tuple, shape, 4, &is_null);
    row->has_root = verify::copy_digest(root, is_null, &row->root);
    row->signed_at = DatumGetTimestampTz(SPI_getbinval(tuple, shape, 5, &is_null));
    row->note = TextDatumGetCString(SPI_getbinval(tuple, shape, 6, &is_null));
    return true;
}

bool has_key() {
    return *guc::ledger_key != '\0';
}

// What the name of this database's log is now, or nullptr when none is set.
const char *own_origin() {
    if (*guc::ledger_origin == '\0') return nullptr;
    const char *database = get_database_name(MyDatabaseId);
    char *origin = static_cast<char *>(palloc(kMaxOrigin));
    pg::raise(pg::run([&] {
        strlcpy(origin, core::log_origin(guc::ledger_origin, database).c_str(), kMaxOrigin);
    }));
    return origin;
}

// False when it is no checkpoint.
bool read_note(const char *text, Checkpoint *checkpoint) {
    pg::Report report = pg::run([&] {
        const core::Checkpoint parsed = core::parse_checkpoint(core::parse_note(text).text);
        if (parsed.origin.size() >= kMaxOrigin)
            throw core::Error{core::Code::too_long, "the name of a log is too long"};
        strlcpy(checkpoint->origin, parsed.origin.c_str(), kMaxOrigin);
        checkpoint->size = parsed.size;
        checkpoint->root = parsed.root;
    });
    checkpoint->valid = !report.failed;
    return checkpoint->valid;
}

// The key signs for every database, each under the name of its log.
bool is_signed(const char *text, const char *origin) {
    pg::Report report = pg::run([&] {
        core::open_checkpoint(text, core::renamed(core::parse_note_key(guc::ledger_key), origin));
    });
    return !report.failed;
}

void check_row(State *state, const Row &row, int64 seal, const core::Frontier &root_log) {
    const char *name = psprintf("checkpoint " INT64_FORMAT, row.number);
    auto find = [&](const char *what) {
        verify::finding(state->report, verify::kCheckpoints, name, what);
    };
    int64 before = state->report->findings[verify::kCheckpoints];
    state->report->items[verify::kCheckpoints]++;
    if (row.number != state->last_number + 1)
        find(psprintf("it follows checkpoint " INT64_FORMAT ": checkpoints between them are "
                      "missing or repeated",
                      state->last_number));
    state->last_number = row.number;
    if (row.seal < state->last_seal) find("it covers fewer seals than the checkpoint before it");
    state->last_seal = row.seal;
    Checkpoint checkpoint = {};
    if (!read_note(row.note, &checkpoint)) {
        find("its note is not a checkpoint");
        return;
    }
    if (static_cast<int64>(checkpoint.size) != row.size || !row.has_root ||
        !verify::same(checkpoint.root, row.root))
        find("its columns say something else than its note");
    const char *own = own_origin();
    bool is_own = own == nullptr || strcmp(own, checkpoint.origin) == 0;
    if (!is_own && state->own_begun)
        find(psprintf("it is about the log \"%s\"", checkpoint.origin));
    if (is_own && has_key() && !is_signed(row.note, checkpoint.origin))
        find("it is not signed by \"aegis.ledger_key\"");
    state->own_begun = state->own_begun || is_own;
    state->others += !is_own;
    core::Digest root;
    pg::raise(pg::run([&] { root = root_log.root(); }));
    if (row.seal > seal)
        find(psprintf("it covers seal " INT64_FORMAT
                      ", which does not exist: seals were removed at the end",
                      row.seal));
    else if (row.seal < seal)
        find(psprintf("it covers seal " INT64_FORMAT ", which is missing or comes before",
                      row.seal));
    else if (checkpoint.size != root_log.size || !verify::same(checkpoint.root, root))
        find(psprintf("it says size " UINT64_FORMAT
                      " or a root that the ledger does not have at seal " INT64_FORMAT
                      ": the ledger was rebuilt or cut, or the note was replaced",
                      checkpoint.size, row.seal));
    if (is_own && has_key() && state->report->findings[verify::kCheckpoints] == before) {
        state->number = row.number;
        state->seal = row.seal;
        state->newest = checkpoint;
        state->signed_at = row.signed_at;
    }
}

void check_kept(State *state, Kept *kept, const core::Frontier &root_log) {
    kept->reached = true;
    core::Digest root;
    pg::raise(pg::run([&] { root = root_log.root(); }));
    if (!verify::same(root, kept->note.root))
        verify::finding(
            state->report, verify::kCheckpoints, kept->name,
            psprintf("the first " UINT64_FORMAT " heads have another root: the ledger was rebuilt",
                     kept->note.size));
}

void open_kept(State *state, Kept *kept, const char *name, const char *given) {
    kept->name = name;
    if (given == nullptr) return;
    // Whoever kept it with psql has one line end more.
    size_t size = strlen(given);
    while (size > 0 && given[size - 1] == '\n') size--;
    const char *note = psprintf("%.*s\n", static_cast<int>(size), given);
    state->report->items[verify::kCheckpoints]++;
    if (!read_note(note, &kept->note))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the checkpoint is not a signed note of a log"),
                        errhint("Give it as aegis.latest_checkpoint() returned it.")));
    const char *own = own_origin();
    if (own != nullptr && strcmp(own, kept->note.origin) != 0)
        verify::finding(state->report, verify::kCheckpoints, name,
                        psprintf("it is about the log \"%s\"", kept->note.origin));
    else if (has_key() && !is_signed(note, kept->note.origin))
        verify::finding(state->report, verify::kCheckpoints, name,
                        "it is not signed by \"aegis.ledger_key\"");
    else
        kept->believed = true;
}

constexpr const char *kCosignatures =
    "SELECT c.checkpoint, coalesce(c.witness, ''), coalesce(c.vkey, ''), coalesce(c.line, ''), "
    "coalesce(k.note, '') FROM aegis.cosignature c LEFT JOIN aegis.checkpoint k"
    " ON k.number = c.checkpoint ORDER BY c.checkpoint, c.vkey COLLATE \"C\"";

bool is_cosigned(const char *note, const char *vkey, const char *witness, const char *line) {
    bool same = false;
    pg::Report report = pg::run([&] {
        const core::NoteKey key = core::parse_note_key(vkey);
        same = key.name == witness &&
               core::take_cosignature(core::parse_note(note).text, line, key).line == line;
    });
    return !report.failed && same;
}

void check_cosignatures(State *state) {
    verify::Cursor rows = verify::open_cursor(kCosignatures);
    HeapTuple tuple;
    while ((tuple = verify::peek(&rows)) != nullptr) {
        const char *texts[4];
        bool is_null;
        int64 number = DatumGetInt64(SPI_getbinval(tuple, rows.rows->tupdesc, 1, &is_null));
        for (int i = 0; i < 4; i++)
            texts[i] =
                TextDatumGetCString(SPI_getbinval(tuple, rows.rows->tupdesc, i + 2, &is_null));
        state->report->items[verify::kCheckpoints]++;
        if (!is_cosigned(texts[3], texts[1], texts[0], texts[2]))
            verify::finding(state->report, verify::kCheckpoints,
                            psprintf("checkpoint " INT64_FORMAT, number),
                            psprintf("\"%s\" did not cosign it", texts[0]));
        rows.at++;
    }
}

}  // namespace

void open(State *state, const char *given, const char *start) {
    state->rows = verify::open_cursor(kQuery);
    open_kept(state, &state->kept[0], "the kept checkpoint", given);
    open_kept(state, &state->kept[1], "the checkpoint to start from", start);
}

const Checkpoint *start(const State *state) {
    return state->kept[1].believed ? &state->kept[1].note : nullptr;
}

void at_head(State *state, const core::Frontier &root_log) {
    for (Kept &kept : state->kept)
        if (kept.note.valid && !kept.reached && root_log.size == kept.note.size)
            check_kept(state, &kept, root_log);
}

void at_seal(State *state, int64 seal, const core::Frontier &root_log) {
    Row row;
    while (read_row(&state->rows, &row) && row.seal <= seal) {
        check_row(state, row, seal, root_log);
        state->rows.at++;
    }
}

void finish(State *state, const core::Frontier &root_log) {
    Row row;
    check_cosignatures(state);
    verify_anchor::check(state->report);
    while (read_row(&state->rows, &row)) {
        check_row(state, row, row.seal - 1, root_log);
        state->rows.at++;
    }
    for (const Kept &kept : state->kept)
        if (kept.note.valid && !kept.reached)
            verify::finding(state->report, verify::kCheckpoints, kept.name,
                            psprintf("it has " UINT64_FORMAT " heads, the ledger has " UINT64_FORMAT
                                     ": the end was cut off, or an older copy was restored",
                                     kept.note.size, root_log.size));
}

const char *standing(const State *state) {
    if (state->number == 0) return "not signed";
    return psprintf("signed up to seal " INT64_FORMAT ": checkpoint " INT64_FORMAT
                    " of log \"%s\", size " UINT64_FORMAT ", signed at %s",
                    state->seal, state->number, state->newest.origin, state->newest.size,
                    timestamptz_to_str(state->signed_at));
}

}  // namespace aegis::verify_checkpoint
