// SPDX-License-Identifier: Apache-2.0
// Owning pointers for libcrypto's objects, and the one way in which its refusals become errors.
// Included only by core's .cpp files.
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>

#include "core/error.hpp"

namespace aegis::core {

struct MdContextDeleter {
    void operator()(EVP_MD_CTX *ctx) const noexcept { EVP_MD_CTX_free(ctx); }
};
using MdContext = std::unique_ptr<EVP_MD_CTX, MdContextDeleter>;

// libcrypto queues its errors per thread; what is not cleared is reported to whoever asks next,
// which in a database is the server's own TLS code.
[[noreturn]] inline void fail(Code code, const char *message) {
    ERR_clear_error();
    throw Error{code, message};
}

}  // namespace aegis::core
