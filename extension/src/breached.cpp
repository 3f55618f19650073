// SPDX-License-Identifier: Apache-2.0
// Two short reads for each look-up: the place in the index, and the bucket. Nothing is kept, so the
// list may be replaced at any time.
#include "core/breached.hpp"
#include "breached.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "guc.hpp"
#include "pg/guard.hpp"

namespace aegis::breached {

namespace {

// Of a thousand million hashes a bucket has some 15,000; more is not a list of ours.
constexpr size_t kMostBucketBytes = 4 << 20;

bool read_at(int file, void *to, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(file, static_cast<char *>(to) + done, size - done,
                            static_cast<off_t>(offset + done));
        if (got == 0) errno = EIO;
        if (got == 0 || (got < 0 && errno != EINTR)) return false;
        if (got > 0) done += static_cast<size_t>(got);
    }
    return true;
}

uint64_t get_u64(const uint8_t *at) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value = value << 8 | at[i];
    return value;
}

// False: errno says why; 0 that it is no list.
bool search(int file, const core::Sha1 &hash, bool *found) {
    uint8_t head[core::kBreachedIndexOffset], range[16];
    errno = 0;
    if (!read_at(file, head, sizeof head, 0) ||
        !read_at(file, range, sizeof range,
                 core::kBreachedIndexOffset + uint64_t{core::breached_bucket(hash)} * 8))
        return false;
    errno = 0;
    uint64_t first = get_u64(range), last = get_u64(range + 8), count = get_u64(head + 8);
    if (memcmp(head, core::kBreachedMark.data(), core::kBreachedMark.size()) != 0 || first > last ||
        last > count || (last - first) > kMostBucketBytes / core::kBreachedEntryBytes)
        return false;
    size_t size = static_cast<size_t>(last - first) * core::kBreachedEntryBytes;
    uint8_t *entries = static_cast<uint8_t *>(palloc(Max(size, 1)));
    bool done =
        read_at(file, entries, size, core::kBreachedListOffset + first * core::kBreachedEntryBytes);
    if (done) *found = core::breached_has({entries, size}, hash);
    pfree(entries);
    return done;
}

}  // namespace

Answer look_up(core::ByteView password) {
    if (guc::breached_passwords == nullptr || *guc::breached_passwords == '\0')
        return Answer::unknown;
    core::Sha1 hash;
    pg::raise(pg::run([&] { hash = core::sha1(password); }));
    bool found = false;
    int file = open(guc::breached_passwords, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    bool done = file >= 0 && search(file, hash, &found);
    int why = errno;
    if (file >= 0) close(file);
    core::wipe(hash.bytes);
    if (done) return found ? Answer::known : Answer::unknown;
    ereport(LOG, (errcode(ERRCODE_IO_ERROR),
                  errmsg("could not read the list of breached passwords \"%s\": %s",
                         guc::breached_passwords,
                         why != 0 ? strerror(why) : "it is no list of aegis-breached"),
                  errhint("Make it with aegis-breached, or empty aegis.breached_passwords.")));
    return Answer::unreadable;
}

void require_unknown(core::ByteView password) {
    switch (look_up(password)) {
        case Answer::unknown:
            return;
        case Answer::known:
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("password is known from a breach"),
                            errhint("Others have used it and lost it, and it is among the first "
                                    "that are tried. Choose another one.")));
            break;
        case Answer::unreadable:
            ereport(ERROR, (errcode(ERRCODE_IO_ERROR),
                            errmsg("new passwords cannot be checked against breaches"),
                            errhint("The server log tells why.")));
    }
}

}  // namespace aegis::breached
