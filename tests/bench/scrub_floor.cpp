// SPDX-License-Identifier: Apache-2.0
// How fast documents are looked through, by the scrubber and by what people write first:
//   scrub_floor scrub|verify|regex|luhn FILE SECONDS
// FILE holds one document a line. Prints megabytes (10^6 bytes) a second, of one thread.
#include <regex.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "core/scrub.hpp"
#include "core/scrub_verify.hpp"

using namespace aegis::core;

namespace {

// The naive one: thirteen to nineteen digits, blanks and hyphens between them.
bool regex_finds(const std::string &text) {
    static regex_t *const compiled = [] {
        static regex_t made;
        if (regcomp(&made, "[0-9]([ -]?[0-9]){12,18}", REG_EXTENDED | REG_NOSUB) != 0) abort();
        return &made;
    }();
    return regexec(compiled, text.c_str(), 0, nullptr, 0) == 0;
}

// The same by hand, with the check digit and nothing else.
bool luhn_finds(const std::string &text) {
    for (size_t at = 0; at < text.size();) {
        if (text[at] < '0' || text[at] > '9') {
            ++at;
            continue;
        }
        char digits[19];
        size_t count = 0, end = at;
        for (; end < text.size() && count < sizeof digits; ++end) {
            if (text[end] >= '0' && text[end] <= '9')
                digits[count++] = text[end];
            else if (text[end] != ' ' && text[end] != '-')
                break;
        }
        if (count >= 13) {
            int sum = 0;
            for (size_t i = 0; i < count; ++i) {
                int digit = digits[count - 1 - i] - '0';
                if (i % 2 == 1 && (digit *= 2) > 9) digit -= 9;
                sum += digit;
            }
            if (sum % 10 == 0) return true;
        }
        at = end > at ? end : at + 1;
    }
    return false;
}

size_t look(const char *how, const std::string &text) {
    if (strcmp(how, "scrub") == 0) return scrub(text).findings.size();
    if (strcmp(how, "verify") == 0) return is_free_of_card_data(as_bytes(text)) ? 0 : 1;
    if (strcmp(how, "regex") == 0) return regex_finds(text);
    if (strcmp(how, "luhn") == 0) return luhn_finds(text);
    fprintf(stderr, "usage: scrub_floor scrub|verify|regex|luhn FILE SECONDS\n");
    exit(2);
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 4) look("", "");
    std::ifstream file(argv[2]);
    std::vector<std::string> documents;
    size_t bytes = 0, found = 0, passes = 0;
    for (std::string line; std::getline(file, line);) documents.push_back(line);
    for (const std::string &document : documents) bytes += document.size();
    if (bytes == 0) return 1;
    using Clock = std::chrono::steady_clock;
    const auto begun = Clock::now();
    const auto wanted = std::chrono::duration<double>(atof(argv[3]));
    do {
        for (const std::string &document : documents) found += look(argv[1], document);
        ++passes;
    } while (Clock::now() - begun < wanted);
    const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    printf("%.2f %zu\n", static_cast<double>(bytes * passes) / 1e6 / seconds, found / passes);
    return 0;
}
