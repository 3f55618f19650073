// SPDX-License-Identifier: Apache-2.0
#include "http_target.hpp"

#include "pg/function.hpp"

namespace aegis::http {

namespace {

int hex(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// RFC 3986 pchar without the percent sign; a query may hold "/" and "?" as well.
bool is_plain(uint8_t c, bool in_query) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    if (c == '\0') return false;
    return strchr("-._~!$&'()*+,;=:@", c) != nullptr || (in_query && (c == '/' || c == '?'));
}

// Decodes percent-encoding exactly once. nullptr when the encoding is broken, or the result holds a
// control character or is not UTF-8.
char *decode(core::ByteView raw, bool in_query) {
    char *text = static_cast<char *>(palloc(raw.size + 1));
    int length = 0;
    for (size_t i = 0; i < raw.size; i++) {
        uint8_t c = raw.data[i];
        if (c == '%') {
            int high = i + 1 < raw.size ? hex(raw.data[i + 1]) : -1;
            int low = i + 2 < raw.size ? hex(raw.data[i + 2]) : -1;
            if (high < 0 || low < 0) return nullptr;
            c = static_cast<uint8_t>(high << 4 | low);
            i += 2;
        } else if (!is_plain(c, in_query)) {
            return nullptr;
        } else if (in_query && c == '+') {
            c = ' ';
        }
        if (c < 0x20 || c == 0x7f) return nullptr;
        text[length++] = static_cast<char>(c);
    }
    text[length] = '\0';
    return pg_encoding_verifymbstr(PG_UTF8, text, length) == length ? text : nullptr;
}

size_t find(core::ByteView view, size_t from, char c) {
    while (from < view.size && view.data[from] != static_cast<uint8_t>(c)) from++;
    return from;
}

const char *parse_path(core::ByteView raw, Target *target) {
    if (raw.size == 0 || raw.data[0] != '/') return "the target must start with a slash";
    StringInfoData path;
    initStringInfo(&path);
    for (size_t at = 0; at < raw.size;) {
        size_t end = find(raw, at + 1, '/');
        if (target->segment_count == kMaxSegments) return "the path has too many segments";
        char *segment = decode(raw.slice(at + 1, end - at - 1), false);
        if (segment == nullptr) return "the path holds a character that is not allowed";
        if (*segment == '\0') return "the path has an empty segment";
        if (strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0 ||
            strpbrk(segment, "/\\") != nullptr)
            return "the path has a segment that is not allowed";
        target->segments[target->segment_count++] = segment;
        appendStringInfo(&path, "/%s", segment);
        at = end;
    }
    target->path = path.data;
    return nullptr;
}

const char *parse_query(core::ByteView raw, Target *target) {
    for (size_t at = 0; at < raw.size;) {
        size_t end = find(raw, at, '&');
        core::ByteView part = raw.slice(at, end - at);
        at = end + 1;
        if (part.size == 0) continue;
        if (target->query_count == kMaxQueryPairs) return "the query has too many parameters";
        size_t equals = find(part, 0, '=');
        char *name = decode(part.slice(0, equals), true);
        char *value = equals < part.size
                          ? decode(part.slice(equals + 1, part.size - equals - 1), true)
                          : pstrdup("");
        if (name == nullptr || value == nullptr)
            return "the query holds a character that is not allowed";
        for (int i = 0; i < target->query_count; i++)
            if (strcmp(target->query[i].name, name) == 0)
                return "the query names a parameter twice";
        target->query[target->query_count++] = {name, value};
    }
    return nullptr;
}

}  // namespace

const char *parse_target(core::ByteView raw, Target *target) {
    memset(target, 0, sizeof *target);
    if (raw.size > kMaxTargetBytes) return "the target is too long";
    size_t question = find(raw, 0, '?');
    const char *fault = parse_path(raw.slice(0, question), target);
    if (fault == nullptr && question < raw.size)
        fault = parse_query(raw.slice(question + 1, raw.size - question - 1), target);
    return fault;
}

Jsonb *to_jsonb(const Pair *pairs, int count) {
    if (count == 0) {  // as most queries and parameters are
        Jsonb *empty = static_cast<Jsonb *>(palloc(VARHDRSZ + sizeof(JsonbContainer)));
        SET_VARSIZE(empty, VARHDRSZ + sizeof(JsonbContainer));
        empty->root.header = JB_FOBJECT;
        return empty;
    }
    JsonbParseState *state = nullptr;
    pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
    for (int i = 0; i < count; i++) {
        JsonbValue text;
        text.type = jbvString;
        text.val.string.val = const_cast<char *>(pairs[i].name);
        text.val.string.len = static_cast<int>(strlen(pairs[i].name));
        pushJsonbValue(&state, WJB_KEY, &text);
        text.val.string.val = const_cast<char *>(pairs[i].value);
        text.val.string.len = static_cast<int>(strlen(pairs[i].value));
        pushJsonbValue(&state, WJB_VALUE, &text);
    }
    return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr));
}

}  // namespace aegis::http
