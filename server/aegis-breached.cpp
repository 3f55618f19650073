// SPDX-License-Identifier: Apache-2.0
// aegis-breached: makes the compact list that aegis.breached_passwords names, from lists of SHA-1
// hashes as they are published, or from passwords in clear. docs/breached.md.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "core/breached.hpp"
#include "core/encoding.hpp"
#include "core/error.hpp"

#ifndef AEGIS_VERSION
#error "the build defines AEGIS_VERSION"
#endif

namespace {

using namespace aegis;

using Entry = std::array<uint8_t, 8>;

struct Fault {
    std::string message, hint;
};

struct Options {
    std::vector<std::string> inputs;
    std::string output;
    bool clear = false;
    int64_t least = 1;
};

Entry entry_of(const core::Sha1 &hash) {
    Entry entry;
    std::memcpy(entry.data(), hash.bytes, entry.size());
    return entry;
}

// "HASH", "HASH:COUNT", as Have I Been Pwned and others publish it, in either case.
bool read_hash(std::string line, int64_t least, std::vector<Entry> *entries) {
    size_t colon = line.find(':');
    std::string digits = line.substr(0, colon);
    if (digits.size() != 2 * core::kSha1Bytes) return false;
    std::transform(digits.begin(), digits.end(), digits.begin(),
                   [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
    core::Sha1 hash;
    try {
        core::from_hex(digits, hash.bytes);
    } catch (const core::Error &) {
        return false;
    }
    if (colon != std::string::npos) {
        std::string count = line.substr(colon + 1);
        if (count.empty() || count.size() > 18 ||
            count.find_first_not_of("0123456789") != std::string::npos)
            return false;
        if (std::stoll(count) < least) return true;
    }
    entries->push_back(entry_of(hash));
    return true;
}

void read_list(std::istream &in, const std::string &name, const Options &options,
               std::vector<Entry> *entries) {
    std::string line;
    for (size_t number = 1; std::getline(in, line); ++number) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (line.empty()) continue;
        if (options.clear)
            entries->push_back(entry_of(core::sha1(core::as_bytes(line))));
        else if (!read_hash(line, options.least, entries))
            throw Fault{name + ":" + std::to_string(number) + " is not a SHA-1 hash",
                        "A line is HASH or HASH:COUNT; with --clear it is a password."};
    }
    if (in.bad()) throw Fault{"could not read " + name, "Check the file system."};
}

void put_u64(uint64_t value, std::string *out) {
    for (int shift = 56; shift >= 0; shift -= 8)
        out->push_back(static_cast<char>(value >> shift & 255));
}

// Sorted, without repetitions, to a file beside it that then takes its place.
size_t write_list(std::vector<Entry> *entries, const std::string &path) {
    std::sort(entries->begin(), entries->end());
    entries->erase(std::unique(entries->begin(), entries->end()), entries->end());
    std::string head(core::kBreachedMark);
    put_u64(entries->size(), &head);
    size_t at = 0;
    for (uint32_t bucket = 0; bucket <= core::kBreachedBuckets; ++bucket) {
        while (at < entries->size() &&
               (static_cast<uint32_t>((*entries)[at][0]) << 8 | (*entries)[at][1]) < bucket)
            ++at;
        put_u64(at, &head);
    }
    const std::string fresh = path + ".new";
    std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
    out.write(head.data(), static_cast<std::streamsize>(head.size()));
    for (const Entry &entry : *entries)
        out.write(reinterpret_cast<const char *>(entry.data()) + 2, core::kBreachedEntryBytes);
    out.close();
    if (!out || std::rename(fresh.c_str(), path.c_str()) != 0) {
        const std::string why = std::strerror(errno);
        std::remove(fresh.c_str());
        throw Fault{"could not write \"" + path + "\": " + why, "Is there room, and the folder?"};
    }
    return entries->size();
}

int make(const Options &options) {
    std::vector<Entry> entries;
    if (options.inputs.empty()) read_list(std::cin, "standard input", options, &entries);
    for (const std::string &name : options.inputs) {
        std::ifstream in(name);
        if (!in) throw Fault{"could not open \"" + name + "\": " + std::strerror(errno), ""};
        read_list(in, name, options, &entries);
    }
    if (entries.empty()) throw Fault{"the lists are empty", "An empty list would refuse nothing."};
    printf("%zu passwords in \"%s\"\n", write_list(&entries, options.output),
           options.output.c_str());
    return 0;
}

}  // namespace

int main(int argc, char **argv) {
    command_line::Program program(
        "Makes the list of breached passwords that the setting aegis.breached_passwords names.",
        "aegis-breached");
    Options options;
    program.option("output", &options.output, "the list to write").required();
    program.option("inputs", &options.inputs,
                   "lists of SHA-1 hashes, HASH or HASH:COUNT on a line; none: standard input");
    program.flag("--clear", &options.clear, "the inputs hold passwords in clear, one on a line");
    program.option("--least", &options.least, "leave out what was seen less often")
        .between(1, 1000000000);
    program.version(std::string("aegis-breached ") + AEGIS_VERSION);
    int status = 0;
    if (!program.parse(argc, argv, &status)) return status;
    try {
        return make(options);
    } catch (const Fault &fault) {
        fprintf(stderr, "aegis-breached: %s\n", fault.message.c_str());
        if (!fault.hint.empty()) fprintf(stderr, "hint: %s\n", fault.hint.c_str());
    } catch (const std::exception &error) {
        fprintf(stderr, "aegis-breached: %s\n", error.what());
    } catch (const core::Error &error) {
        fprintf(stderr, "aegis-breached: %s\n", error.message);
    }
    return 1;
}
