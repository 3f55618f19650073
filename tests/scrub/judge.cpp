// SPDX-License-Identifier: Apache-2.0
// The scrubber and the verifier over standard input, for tests in other languages: texts as their
// length in decimal, a line end, and so many bytes. An answer is a line: the kinds found (or "-"),
// whether the verifier passes the text as it was, whether it passes what the scrubber made of it,
// the length of that; then so many bytes of it.
//   scrub_judge payload|user_field
#include <cstring>
#include <iostream>
#include <set>
#include <string>

#include "core/scrub.hpp"
#include "core/scrub_verify.hpp"

using namespace aegis::core;

int main(int argc, char **argv) {
    if (argc != 2) {
        std::cerr << "usage: scrub_judge payload|user_field\n";
        return 2;
    }
    const ScrubProfile profile =
        strcmp(argv[1], "payload") == 0 ? ScrubProfile::payload : ScrubProfile::user_field;
    std::string length;
    while (std::getline(std::cin, length)) {
        std::string text(std::stoul(length), '\0');
        if (!std::cin.read(text.data(), static_cast<std::streamsize>(text.size()))) return 1;
        const Scrubbed result = scrub(text, profile);
        if (result.changed != has_card_data(text, profile)) return 1;
        std::set<std::string> kinds;
        for (const CardFinding &finding : result.findings)
            kinds.insert(card_data_word(finding.kind));
        std::string words;
        for (const std::string &kind : kinds) words += (words.empty() ? "" : ",") + kind;
        const std::string &made = result.changed ? result.text : text;
        std::cout << (words.empty() ? "-" : words) << ' ' << is_free_of_card_data(as_bytes(text))
                  << ' ' << is_free_of_card_data(as_bytes(made)) << ' ' << made.size() << '\n'
                  << made;
    }
}
