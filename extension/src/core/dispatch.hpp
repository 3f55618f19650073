// SPDX-License-Identifier: Apache-2.0
// The functions with which a provider of OpenSSL does an algorithm: provider-cipher(7),
// provider-digest(7). The provider is the one that EVP fetches; EVP itself stands between for what
// is done once. For each message it asks the provider by name for sizes that are known here, which
// takes as long as half the work on a short one. Included only by core's .cpp files and headers.
#pragma once

#include <openssl/core_dispatch.h>
#include <openssl/types.h>

#include <memory>

#include "core/bytes.hpp"

namespace aegis::core {

struct ProviderContextDeleter {
    void (*freectx)(void *) = nullptr;
    void operator()(void *context) const noexcept { freectx(context); }
};
// What a provider keeps of one key or one hash. It overwrites what it frees.
using ProviderContext = std::unique_ptr<void, ProviderContextDeleter>;

// Both are meant to be kept: they find their functions once. Without an algorithm of this name, or
// if it lacks one of the functions, the constructor throws crypto_failure with the message.
struct CipherDispatch {
    CipherDispatch(const char *name, const char *message);
    [[nodiscard]] ProviderContext make_context() const;  // throws crypto_failure

    EVP_CIPHER *fetched = nullptr;  // never freed: it keeps the provider
    void *provider = nullptr;
    OSSL_FUNC_cipher_newctx_fn *newctx = nullptr;
    OSSL_FUNC_cipher_freectx_fn *freectx = nullptr;
    OSSL_FUNC_cipher_encrypt_init_fn *encrypt_init = nullptr;
    OSSL_FUNC_cipher_decrypt_init_fn *decrypt_init = nullptr;
    OSSL_FUNC_cipher_update_fn *update = nullptr;
    OSSL_FUNC_cipher_final_fn *final = nullptr;
    OSSL_FUNC_cipher_cipher_fn *cipher = nullptr;  // whole blocks at once, without padding
    OSSL_FUNC_cipher_get_ctx_params_fn *get_ctx_params = nullptr;
};

struct DigestDispatch {
    DigestDispatch(const char *name, const char *message);
    [[nodiscard]] ProviderContext make_context() const;                 // throws crypto_failure
    [[nodiscard]] ProviderContext copy(const ProviderContext &) const;  // throws crypto_failure

    EVP_MD *fetched = nullptr;  // never freed
    void *provider = nullptr;
    OSSL_FUNC_digest_newctx_fn *newctx = nullptr;
    OSSL_FUNC_digest_freectx_fn *freectx = nullptr;
    OSSL_FUNC_digest_dupctx_fn *dupctx = nullptr;
    OSSL_FUNC_digest_init_fn *init = nullptr;
    OSSL_FUNC_digest_update_fn *update = nullptr;
    OSSL_FUNC_digest_final_fn *final = nullptr;
};

}  // namespace aegis::core
