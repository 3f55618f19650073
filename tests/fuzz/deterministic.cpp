// SPDX-License-Identifier: Apache-2.0
// Runs the fuzz target without libFuzzer: the frozen vectors, and a fixed number of mutations of
// them from a fixed seed, so that every build tests the same inputs.
//   parser_fuzz_run FOLDER_OF_VECTORS MUTATIONS
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

extern "C" const unsigned kParsers;
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

// The escapes that Python writes into the vector files.
std::string unescaped(std::string text) {
    const char *const escapes[][2] = {{"\\n", "\n"}, {"\\\"", "\""}, {"\\u2014", "\xE2\x80\x94"}};
    for (const auto &[written, meant] : escapes)
        for (size_t at; (at = text.find(written)) != std::string::npos;)
            text.replace(at, std::string(written).size(), meant);
    return text;
}

// Every quoted value of the vector files, as text and, where it is hexadecimal, as bytes.
std::vector<Bytes> seeds_of(const std::string &folder) {
    std::vector<Bytes> seeds;
    for (const char *name :
         {"keys_v1", "envelope_v1", "envelope_v1_committing", "entry_v1", "seal_v1",
          "session_token_v1", "bundle_v1", "proof_v1", "checkpoint_v1", "cosignature_v1",
          "receipt_v1", "tenant_key_v1", "field_key_v1", "wrapped_keyring_v1", "tenant_v1",
          "http_signature_v1", "anchor_v1", "tile_v1", "jose"}) {
        std::ifstream file(folder + "/" + name + ".json");
        std::stringstream text;
        text << file.rdbuf();
        const std::string all = text.str();
        for (size_t at = 0, end; (at = all.find('"', at)) != std::string::npos; at = end + 1) {
            end = all.find('"', ++at);
            while (end != std::string::npos && all[end - 1] == '\\') end = all.find('"', end + 1);
            if (end == std::string::npos) break;
            const std::string value = unescaped(all.substr(at, end - at));
            seeds.emplace_back(value.begin(), value.end());
            if (value.empty() || value.size() % 2 ||
                value.find_first_not_of("0123456789abcdef") != std::string::npos)
                continue;
            Bytes bytes;
            for (size_t i = 0; i < value.size(); i += 2)
                bytes.push_back(static_cast<uint8_t>(std::stoi(value.substr(i, 2), nullptr, 16)));
            seeds.push_back(bytes);
        }
    }
    return seeds;
}

// Heads of requests, which no vector has; often enough that every tenth change is one of theirs.
void add_heads(std::vector<Bytes> *seeds) {
    const std::string session = "ags1_UK_" + std::string(43, 'A');
    const std::string host = "Host: localhost:8443\r\n";
    const std::string heads[] = {
        "GET /api/customers?q=a%20b HTTP/1.1\r\n" + host + "Cookie: a=b; __Host-aegis=" + session +
            "; c=\"d\"\r\n\r\n",
        "POST /api/session HTTP/1.1\r\n" + host + "Content-Length: 12\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\n" + host + "Authorization: Bearer " + session + "\r\n\r\n",
        "PUT /api/invoices/7:x@y HTTP/1.1\r\n" + host +
            "Signature-Input: sig=(\"@method\");created=1;keyid=\"k\";nonce=\"n\"\r\n"
            "Signature: sig=:AAAA:\r\nTransfer-Encoding: chunked\r\n\r\n",
        "DELETE /api HTTP/1.1\r\n" + host + "Cookie: __Host-aegis=a; __Host-aegis=b\r\n" +
            "Cookie: __Host-aegis-challenge=agc1_x\r\nContent-Length: 0\r\n\r\n"};
    for (size_t most = seeds->size() / 9, at = 0; at < most; ++at) {
        const std::string &head = heads[at % std::size(heads)];
        seeds->emplace_back(head.begin(), head.end());
    }
}

void run_everywhere(Bytes input) {
    input.insert(input.begin(), 0);
    for (unsigned parser = 0; parser < kParsers; ++parser) {
        input[0] = static_cast<uint8_t>(parser);
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: parser_fuzz_run FOLDER_OF_VECTORS MUTATIONS\n");
        return 2;
    }
    std::vector<Bytes> seeds = seeds_of(argv[1]);
    if (seeds.size() < 500) {
        fprintf(stderr, "only %zu seeds in %s\n", seeds.size(), argv[1]);
        return 1;
    }
    add_heads(&seeds);
    for (const Bytes &seed : seeds) run_everywhere(seed);
    std::mt19937 random(1);
    const auto below = [&](size_t limit) { return random() % limit; };
    const long mutations = atol(argv[2]);
    for (long i = 0; i < mutations; ++i) {
        Bytes input = seeds[below(seeds.size())];
        for (size_t changes = 1 + below(4); changes > 0; --changes) {
            const size_t at = input.empty() ? 0 : below(input.size());
            switch (below(5)) {
                case 0:
                    input.insert(input.begin() + static_cast<std::ptrdiff_t>(at),
                                 static_cast<uint8_t>(random()));
                    break;
                case 1:
                    if (!input.empty())
                        input.erase(input.begin() + static_cast<std::ptrdiff_t>(at));
                    break;
                case 2:
                    input.resize(at);
                    break;
                case 3:
                    if (!input.empty()) input[at] = static_cast<uint8_t>(random());
                    break;
                default:
                    if (!input.empty()) input[at] ^= static_cast<uint8_t>(1u << below(8));
            }
        }
        run_everywhere(input);
    }
    printf("%zu seeds and %ld mutations\n", seeds.size(), mutations);
    return 0;
}
