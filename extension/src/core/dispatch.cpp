// SPDX-License-Identifier: Apache-2.0
#include "core/dispatch.hpp"

#include <openssl/core.h>
#include <openssl/provider.h>

#include <string>

#include "core/openssl.hpp"

namespace aegis::core {

namespace {

struct CipherDeleter {
    void operator()(EVP_CIPHER *cipher) const noexcept { EVP_CIPHER_free(cipher); }
};
struct DigestDeleter {
    void operator()(EVP_MD *digest) const noexcept { EVP_MD_free(digest); }
};

// Calls `take` for each function of the provider's first algorithm of which `is_meant` knows a
// name.
template <typename IsMeant, typename Take>
void each_function(const OSSL_PROVIDER *provider, int operation, IsMeant is_meant, Take take) {
    int no_cache = 0;
    const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(provider, operation, &no_cache);
    for (const OSSL_ALGORITHM *one = all; one && one->algorithm_names; ++one) {
        // "AES-256-GCM:id-aes256-GCM:2.16.840.1.101.3.4.1.46"
        const std::string names = one->algorithm_names;
        if (!is_meant(names.substr(0, names.find(':')).c_str())) continue;
        for (const OSSL_DISPATCH *function = one->implementation; function->function_id; ++function)
            take(function);
        break;
    }
    OSSL_PROVIDER_unquery_operation(provider, operation, all);
    // The fetch looked at every algorithm of the provider, and may have queued what it found wrong.
    ERR_clear_error();
}

ProviderContext owned(void *context, void (*freectx)(void *)) {
    if (!context) fail(Code::crypto_failure, "out of memory for a cipher or a hash");
    return {context, ProviderContextDeleter{freectx}};
}

}  // namespace

CipherDispatch::CipherDispatch(const char *name, const char *message) {
    std::unique_ptr<EVP_CIPHER, CipherDeleter> found(EVP_CIPHER_fetch(nullptr, name, nullptr));
    if (!found) fail(Code::crypto_failure, message);
    const OSSL_PROVIDER *from = EVP_CIPHER_get0_provider(found.get());
    provider = OSSL_PROVIDER_get0_provider_ctx(from);
    each_function(
        from, OSSL_OP_CIPHER,
        [&](const char *known) { return EVP_CIPHER_is_a(found.get(), known) == 1; },
        [&](const OSSL_DISPATCH *function) {
            switch (function->function_id) {
                case OSSL_FUNC_CIPHER_NEWCTX:
                    newctx = OSSL_FUNC_cipher_newctx(function);
                    break;
                case OSSL_FUNC_CIPHER_FREECTX:
                    freectx = OSSL_FUNC_cipher_freectx(function);
                    break;
                case OSSL_FUNC_CIPHER_ENCRYPT_INIT:
                    encrypt_init = OSSL_FUNC_cipher_encrypt_init(function);
                    break;
                case OSSL_FUNC_CIPHER_DECRYPT_INIT:
                    decrypt_init = OSSL_FUNC_cipher_decrypt_init(function);
                    break;
                case OSSL_FUNC_CIPHER_UPDATE:
                    update = OSSL_FUNC_cipher_update(function);
                    break;
                case OSSL_FUNC_CIPHER_FINAL:
                    final = OSSL_FUNC_cipher_final(function);
                    break;
                case OSSL_FUNC_CIPHER_CIPHER:
                    cipher = OSSL_FUNC_cipher_cipher(function);
                    break;
                case OSSL_FUNC_CIPHER_GET_CTX_PARAMS:
                    get_ctx_params = OSSL_FUNC_cipher_get_ctx_params(function);
                    break;
                default:
                    break;
            }
        });
    if (!newctx || !freectx || !encrypt_init || !decrypt_init || !update || !final || !cipher ||
        !get_ctx_params)
        fail(Code::crypto_failure, message);
    fetched = found.release();
}

ProviderContext CipherDispatch::make_context() const {
    return owned(newctx(provider), freectx);
}

DigestDispatch::DigestDispatch(const char *name, const char *message) {
    std::unique_ptr<EVP_MD, DigestDeleter> found(EVP_MD_fetch(nullptr, name, nullptr));
    if (!found) fail(Code::crypto_failure, message);
    const OSSL_PROVIDER *from = EVP_MD_get0_provider(found.get());
    provider = OSSL_PROVIDER_get0_provider_ctx(from);
    each_function(
        from, OSSL_OP_DIGEST,
        [&](const char *known) { return EVP_MD_is_a(found.get(), known) == 1; },
        [&](const OSSL_DISPATCH *function) {
            switch (function->function_id) {
                case OSSL_FUNC_DIGEST_NEWCTX:
                    newctx = OSSL_FUNC_digest_newctx(function);
                    break;
                case OSSL_FUNC_DIGEST_FREECTX:
                    freectx = OSSL_FUNC_digest_freectx(function);
                    break;
                case OSSL_FUNC_DIGEST_DUPCTX:
                    dupctx = OSSL_FUNC_digest_dupctx(function);
                    break;
                case OSSL_FUNC_DIGEST_INIT:
                    init = OSSL_FUNC_digest_init(function);
                    break;
                case OSSL_FUNC_DIGEST_UPDATE:
                    update = OSSL_FUNC_digest_update(function);
                    break;
                case OSSL_FUNC_DIGEST_FINAL:
                    final = OSSL_FUNC_digest_final(function);
                    break;
                default:
                    break;
            }
        });
    if (!newctx || !freectx || !dupctx || !init || !update || !final)
        fail(Code::crypto_failure, message);
    fetched = found.release();
}

ProviderContext DigestDispatch::make_context() const {
    return owned(newctx(provider), freectx);
}

ProviderContext DigestDispatch::copy(const ProviderContext &context) const {
    return owned(dupctx(context.get()), freectx);
}

}  // namespace aegis::core
