// SPDX-License-Identifier: Apache-2.0
#include "signer_key.hpp"

#include <cerrno>
#include <new>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/encoding.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "durable_file.hpp"

namespace aegis::server {

namespace {

constexpr std::string_view kLabel = "ed25519:";
constexpr size_t kHexBytes = 2 * core::kKeyBytes;
constexpr size_t kFileBytes = kLabel.size() + kHexBytes + 1;
constexpr size_t kPageBytes = 4096;

// A buffer for the file's text, wiped when it goes.
struct SecretText {
    char bytes[kFileBytes + 1];
    ~SecretText() { core::wipe({reinterpret_cast<uint8_t *>(bytes), sizeof bytes}); }
};

size_t read_into(const std::string &path, SecretText *text) {
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file.get() < 0) fail_with_errno("could not open \"" + path + "\"");
    size_t size = 0;
    while (size < sizeof text->bytes) {
        const ssize_t count = read(file.get(), text->bytes + size, sizeof text->bytes - size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail_with_errno("could not read \"" + path + "\"");
        if (count == 0) break;
        size += static_cast<size_t>(count);
    }
    return size;
}

void *locked_page() {
    void *page =
        mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) fail_with_errno("could not map memory for the key");
    if (mlock(page, kPageBytes) != 0 || madvise(page, kPageBytes, MADV_DONTDUMP) != 0) {
        const int reason = errno;
        munmap(page, kPageBytes);
        errno = reason;
        fail_with_errno("could not lock memory for the key");
    }
    return page;
}

}  // namespace

bool SignerKey::create(const std::string &path) {
    core::Key32 seed;
    core::random_secret(seed.span());
    SecretText text;
    kLabel.copy(text.bytes, kLabel.size());
    core::to_hex(seed.view(), text.bytes + kLabel.size());
    text.bytes[kFileBytes - 1] = '\n';
    return create_file(path, {text.bytes, kFileBytes}, 0400);
}

SignerKey::SignerKey(const std::string &path) : seed_(nullptr) {
    check_private(path);
    SecretText text;
    const size_t size = read_into(path, &text);
    const std::string_view content(text.bytes, size);
    if (size != kFileBytes || content.substr(0, kLabel.size()) != kLabel || content.back() != '\n')
        throw FileError("\"" + path + "\" is not a signing key");
    seed_ = new (locked_page()) core::Key32();
    try {
        core::from_hex(content.substr(kLabel.size(), kHexBytes), seed_->span());
    } catch (const core::Error &) {
        seed_->~Key32();
        munmap(seed_, kPageBytes);
        throw FileError("\"" + path + "\" is not a signing key");
    }
}

SignerKey::~SignerKey() {
    seed_->~Key32();
    munmap(seed_, kPageBytes);
}

core::NoteKey SignerKey::key_of(const std::string &name, core::NoteKeyType type) const {
    return core::note_key_of(name, type, *seed_);
}

std::string SignerKey::sign(const std::string &text, const core::NoteKey &key) const {
    return text + "\n" + core::sign_note(text, key, *seed_);
}

std::string SignerKey::cosign(std::string_view text, const core::NoteKey &key,
                              uint64_t time) const {
    return core::cosign_note(text, key, *seed_, time);
}

}  // namespace aegis::server
