// SPDX-License-Identifier: Apache-2.0
// What a handler returns becomes an answer here: a closed list of headers and of content types, so
// that no handler, whatever it was fed with, sends a page, a script or a second answer.
#include "handle.hpp"

#include "pg/function.hpp"

namespace aegis::handle {

namespace {

constexpr size_t kMaxFileBytes = 16 * 1024 * 1024;
constexpr size_t kMaxFileNameBytes = 128;

// Headers that an answer of a handler may carry; the rest is ours or the gateway's.
const char *const kHeaders[] = {"cache-control",
                                "content-disposition",
                                "content-language",
                                "content-type",
                                "etag",
                                "last-modified",
                                "link",
                                "location",
                                "retry-after"};

// What never changes under its address: for every cache, or for the client's own.
const char *const kCaching[] = {"no-store", "private, max-age=31536000, immutable",
                                "public, max-age=31536000, immutable"};

const char *const kJsonTypes[] = {"application/json", "application/problem+json"};
// None that a browser would run or lay out as a page of ours.
constexpr char kPlainText[] = "text/plain; charset=utf-8";
constexpr char kOctets[] = "application/octet-stream";
const char *const kFileTypes[] = {kOctets, "application/pdf", "text/csv", kPlainText};

template <size_t N>
bool is_one_of(const char *value, const char *const (&list)[N]) {
    for (const char *known : list)
        if (strcmp(known, value) == 0) return true;
    return false;
}

// attachment; filename="NAME", with a NAME that no shell, no file system and no parser of headers
// reads in two ways.
bool is_attachment(const char *value) {
    constexpr char start[] = "attachment; filename=\"";
    constexpr size_t start_length = sizeof start - 1;
    size_t length = strlen(value);
    if (length < start_length + 2 || length > start_length + kMaxFileNameBytes + 1) return false;
    if (strncmp(value, start, start_length) != 0 || value[length - 1] != '"') return false;
    if (value[start_length] == '.') return false;  // hidden, or a way up
    for (size_t i = start_length; i < length - 1; i++) {
        char c = value[i];
        bool allowed = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
        if (!allowed) return false;
    }
    return true;
}

void copy_header(http::Answer *answer, const char *name, const char *value) {
    if (!is_one_of(name, kHeaders)) reject_answer("A header of it is not a handler's to set.");
    if (strcmp(name, "cache-control") == 0 && !is_one_of(value, kCaching))
        reject_answer(
            "A cache-control is no-store, or max-age=31536000, immutable behind private or "
            "public.");
    for (const char *c = value; *c != '\0'; c++)
        if (static_cast<unsigned char>(*c) < 0x20 || static_cast<unsigned char>(*c) > 0x7e)
            reject_answer("A header value has a character outside printable ASCII.");
    http::add_header(answer, name, value);
}

void copy_headers(http::Answer *answer, Jsonb *headers) {
    if (!JB_ROOT_IS_OBJECT(headers)) reject_answer("Headers are a JSON object of strings.");
    JsonbIterator *iterator = JsonbIteratorInit(&headers->root);
    JsonbValue item;
    const char *name = nullptr;
    for (JsonbIteratorToken token;
         (token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE;) {
        if (token == WJB_KEY) {
            name = pnstrdup(item.val.string.val, item.val.string.len);
        } else if (token == WJB_VALUE) {
            if (item.type != jbvString) reject_answer("Headers are a JSON object of strings.");
            copy_header(answer, name, pnstrdup(item.val.string.val, item.val.string.len));
        }
    }
}

void take_json(http::Answer *answer, Jsonb *body) {
    const char *type = http::find_header(*answer, "content-type");
    if (type != nullptr && !is_one_of(type, kJsonTypes))
        reject_answer("A body is application/json or application/problem+json.");
    if (http::find_header(*answer, "content-disposition") != nullptr)
        reject_answer("Only a file has a content-disposition.");
    http::set_json(answer, body);
    if (type == nullptr) http::add_header(answer, "content-type", kJsonTypes[0]);
}

void take_file(http::Answer *answer, bytea *file) {
    answer->body = pg::varlena_view(PointerGetDatum(file));
    if (answer->body.size > kMaxFileBytes) reject_answer("A file is at most 16 MB.");
    const char *type = http::find_header(*answer, "content-type");
    if (type == nullptr) http::add_header(answer, "content-type", type = kOctets);
    if (!is_one_of(type, kFileTypes))
        reject_answer(
            "A file is application/octet-stream, application/pdf, text/csv or "
            "text/plain; charset=utf-8.");
    if (strcmp(type, kPlainText) == 0 &&
        !pg_verify_mbstr(PG_UTF8, reinterpret_cast<const char *>(answer->body.data),
                         static_cast<int>(answer->body.size), true))
        reject_answer("Its text is not UTF-8.");
    const char *disposition = http::find_header(*answer, "content-disposition");
    if (disposition != nullptr && !is_attachment(disposition))
        reject_answer(
            "A content-disposition is attachment; filename=\"NAME\", its NAME of "
            "letters, digits and \"._-\".");
    // What is not plain text is for saving, never for a window of this origin.
    if (disposition == nullptr && strcmp(type, kPlainText) != 0)
        http::add_header(answer, "content-disposition", "attachment");
}

}  // namespace

void reject_answer(const char *reason) {
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
             errmsg("handler returned an answer that cannot be sent"), errdetail("%s", reason)));
}

void read_answer(Datum response, http::Answer *answer) {
    *answer = {};
    HeapTupleHeader tuple = DatumGetHeapTupleHeader(response);
    bool no_headers, no_body, no_file, is_null;
    Datum status = GetAttributeByNum(tuple, 1, &is_null);
    if (is_null || DatumGetInt32(status) < 200 || DatumGetInt32(status) > 599)
        reject_answer("A status is between 200 and 599.");
    answer->status = DatumGetInt32(status);
    Datum headers = GetAttributeByNum(tuple, 2, &no_headers);
    if (!no_headers) copy_headers(answer, DatumGetJsonbPCopy(headers));
    Datum body = GetAttributeByNum(tuple, 3, &no_body);
    Datum file = GetAttributeByNum(tuple, 4, &no_file);
    if (!no_body && !no_file) reject_answer("It has a body and a file.");
    // A reader would take the bytes for the start of the next answer.
    if ((answer->status == 204 || answer->status == 304) && !(no_body && no_file))
        reject_answer("An answer of this status has no body.");
    if (!no_body) take_json(answer, DatumGetJsonbPCopy(body));
    if (!no_file) take_file(answer, DatumGetByteaPCopy(file));
    if (no_body && no_file &&
        (http::find_header(*answer, "content-type") ||
         http::find_header(*answer, "content-disposition")))
        reject_answer("What has no body has no type.");
}

}  // namespace aegis::handle
