// SPDX-License-Identifier: Apache-2.0
#include "core/jwt.hpp"

#include "credential.hpp"

namespace aegis::http {

namespace {

const char *const kVisible[] = {"accept",        "accept-language", "aegis-name-taken",
                                "content-type",  "idempotency-key", "if-match",
                                "if-none-match", "traceparent",     "user-agent"};

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

int count_of(const Headers &headers, const char *name) {
    int count = 0;
    for (int i = 0; i < headers.count; i++) count += strcmp(headers.items[i].name, name) == 0;
    return count;
}

// Takes the cookie out of one Cookie header. False when it occurs twice: a page on a sibling host
// may have tossed in a second one. Its name is compared exactly, for not every browser guards the
// prefix __Host- in other spellings.
bool find_cookie(const char *value, const char *name, const char **token) {
    for (const char *at = value; *at != '\0';) {
        while (is_blank(*at) || *at == ';') at++;
        size_t length = strcspn(at, ";");
        size_t equals = strcspn(at, "=;");
        if (equals == strlen(name) && strncmp(at, name, equals) == 0 && at[equals] == '=') {
            if (*token != nullptr) return false;
            size_t size = length - equals - 1;
            while (size > 0 && is_blank(at[equals + size])) size--;
            *token = pnstrdup(at + equals + 1, size);
        }
        at += length;
    }
    return true;
}

}  // namespace

bool read_headers(ArrayType *list, Headers *headers) {
    headers->count = 0;
    if (list == nullptr) return true;
    Datum *values;
    bool *nulls;
    int count;
    deconstruct_array(list, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
    if (count % 2 != 0 || count / 2 > kMaxHeaders) return false;
    for (int i = 0; i < count; i += 2) {
        if (nulls[i] || nulls[i + 1]) return false;
        char *name = TextDatumGetCString(values[i]);
        for (char *c = name; *c != '\0'; c++)
            *c = static_cast<char>(pg_tolower(static_cast<unsigned char>(*c)));
        headers->items[headers->count++] = {name, TextDatumGetCString(values[i + 1])};
    }
    return true;
}

const char *header(const Headers &headers, const char *name) {
    for (int i = 0; i < headers.count; i++)
        if (strcmp(headers.items[i].name, name) == 0) return headers.items[i].value;
    return nullptr;
}

const char *cookie(const Headers &headers, const char *name) {
    const char *value = nullptr;
    for (int i = 0; i < headers.count; i++)
        if (strcmp(headers.items[i].name, "cookie") == 0 &&
            !find_cookie(headers.items[i].value, name, &value))
            return nullptr;
    return value;
}

Jsonb *visible_headers(const Headers &headers) {
    Pair seen[lengthof(kVisible)];
    int count = 0;
    for (const char *name : kVisible)
        if (const char *value = header(headers, name)) seen[count++] = {name, value};
    return to_jsonb(seen, count);
}

bool find_credential(const Headers &headers, Credential *credential) {
    *credential = {Source::none, nullptr};
    const char *cookie = nullptr;
    for (int i = 0; i < headers.count; i++)
        if (strcmp(headers.items[i].name, "cookie") == 0 &&
            !find_cookie(headers.items[i].value, kCookieName, &cookie))
            return false;
    if (count_of(headers, "authorization") > 1) return false;
    const char *authorization = header(headers, "authorization");
    if (authorization != nullptr) {
        if (pg_strncasecmp(authorization, "Bearer ", 7) != 0) return false;
        authorization += 7;
        while (is_blank(*authorization)) authorization++;
        if (cookie != nullptr && strcmp(cookie, authorization) != 0) return false;
        bool issued = core::looks_like_jwt({authorization, strlen(authorization)});
        *credential = {issued ? Source::token : Source::bearer, authorization};
    }
    if (header(headers, "signature") != nullptr || header(headers, "signature-input") != nullptr) {
        *credential = {Source::signature, nullptr};
        return cookie == nullptr && authorization == nullptr;
    }
    // A cookie goes along without the page's doing, so its presence keeps the cookie's rules.
    if (cookie != nullptr) *credential = {Source::cookie, cookie};
    return true;
}

bool is_same_origin(const Headers &headers, bool unsaid) {
    const char *site = header(headers, "sec-fetch-site");
    const char *origin = header(headers, "origin");
    if (site != nullptr && strcmp(site, "same-origin") != 0) return false;
    if (origin != nullptr) {
        const char *host = header(headers, "host");
        return count_of(headers, "origin") == 1 && host != nullptr &&
               pg_strncasecmp(origin, "https://", 8) == 0 && pg_strcasecmp(origin + 8, host) == 0;
    }
    return site != nullptr || unsaid;
}

}  // namespace aegis::http
