// SPDX-License-Identifier: Apache-2.0
// jsonb keeps the last of two equal keys, other readers the first: whoever checks one and uses the
// other is fooled. So the keys are counted while reading, and again in what jsonb kept. Numbers
// that no other reader takes are refused, because text of them is far longer than they are.
#include "json_body.hpp"

namespace aegis::http {

namespace {

struct Shape {
    int depth;
    int64 keys;
};

void deeper(void *state) {
    if (++static_cast<Shape *>(state)->depth > kMaxJsonDepth)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("JSON nests deeper than %d levels", kMaxJsonDepth)));
}

void shallower(void *state) {
    static_cast<Shape *>(state)->depth--;
}

void count_key(void *state, char *, bool) {
    static_cast<Shape *>(state)->keys++;
}

// 1e131071 has eight characters here, and 131,072 as soon as somebody makes it a text.
void check_number(void *, char *token, JsonTokenType type) {
    if (type != JSON_TOKEN_NUMBER) return;
    const char *exponent = strpbrk(token, "eE");
    if (exponent == nullptr) return;
    long magnitude = strtol(exponent + 1, nullptr, 10);
    if (magnitude < -kMaxJsonExponent || magnitude > kMaxJsonExponent)
        ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                        errmsg("a JSON number has an exponent beyond %d", kMaxJsonExponent)));
}

int64 keys_of(Jsonb *value) {
    int64 keys = 0;
    JsonbIterator *iterator = JsonbIteratorInit(&value->root);
    JsonbValue item;
    for (JsonbIteratorToken token;
         (token = JsonbIteratorNext(&iterator, &item, false)) != WJB_DONE;)
        keys += token == WJB_KEY;
    return keys;
}

}  // namespace

Jsonb *parse_json_body(core::ByteView body) {
    // Not pnstrdup(), which ends at a zero byte: the check would read on behind its copy.
    char *text = static_cast<char *>(palloc(body.size + 1));
    memcpy(text, body.data, body.size);
    text[body.size] = '\0';
    int length = static_cast<int>(body.size);
    (void)pg_verify_mbstr(PG_UTF8, text, length, false);

    Shape shape = {};
    JsonSemAction actions = {};
    actions.semstate = &shape;
    actions.object_start = deeper;
    actions.object_end = shallower;
    actions.array_start = deeper;
    actions.array_end = shallower;
    actions.object_field_start = count_key;
    actions.scalar = check_number;
    JsonLexContext *lexer = makeJsonLexContextCstringLen(text, length, PG_UTF8, false);
    pg_parse_json_or_ereport(lexer, &actions);

    Jsonb *value = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
    if (keys_of(value) != shape.keys)
        ereport(ERROR, (errcode(ERRCODE_DUPLICATE_JSON_OBJECT_KEY_VALUE),
                        errmsg("a JSON object names a key twice")));
    return value;
}

}  // namespace aegis::http
