// SPDX-License-Identifier: Apache-2.0
// What is taken of a provider, and what is refused. That the functions do what they should is for
// the vectors of gcm_test, xaes_test and digest_test.
#include "core/dispatch.hpp"

#include <openssl/core.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

int provider_of_test, contexts;
bool no_memory = false;

using Function = void (*)();
template <typename F>
Function as_function(F *function) {
    return reinterpret_cast<Function>(function);
}

void *newctx(void *provider) {
    EXPECT_EQ(provider, &provider_of_test);
    if (no_memory) return nullptr;
    ++contexts;
    return new int;
}
void freectx(void *context) {
    --contexts;
    delete static_cast<int *>(context);
}
void *dupctx(void *context) {
    ++contexts;
    return new int(*static_cast<int *>(context));
}
int cipher_init(void *, const uint8_t *, size_t, const uint8_t *, size_t, const OSSL_PARAM *) {
    return 1;
}
int update(void *, uint8_t *, size_t *, size_t, const uint8_t *, size_t) {
    return 1;
}
int final(void *, uint8_t *, size_t *, size_t) {
    return 1;
}
int get_params(OSSL_PARAM *) {
    return 1;
}
int get_ctx_params(void *, OSSL_PARAM *) {
    return 1;
}
int digest_init(void *, const OSSL_PARAM *) {
    return 1;
}
int digest_update(void *, const uint8_t *, size_t) {
    return 1;
}

const OSSL_DISPATCH kCipher[] = {
    {OSSL_FUNC_CIPHER_NEWCTX, as_function(newctx)},
    {OSSL_FUNC_CIPHER_FREECTX, as_function(freectx)},
    {OSSL_FUNC_CIPHER_ENCRYPT_INIT, as_function(cipher_init)},
    {OSSL_FUNC_CIPHER_DECRYPT_INIT, as_function(cipher_init)},
    {OSSL_FUNC_CIPHER_UPDATE, as_function(update)},
    {OSSL_FUNC_CIPHER_FINAL, as_function(final)},
    {OSSL_FUNC_CIPHER_CIPHER, as_function(update)},
    {OSSL_FUNC_CIPHER_GET_CTX_PARAMS, as_function(get_ctx_params)},
};
const OSSL_DISPATCH kDigest[] = {
    {OSSL_FUNC_DIGEST_NEWCTX, as_function(newctx)},
    {OSSL_FUNC_DIGEST_FREECTX, as_function(freectx)},
    {OSSL_FUNC_DIGEST_DUPCTX, as_function(dupctx)},
    {OSSL_FUNC_DIGEST_INIT, as_function(digest_init)},
    {OSSL_FUNC_DIGEST_UPDATE, as_function(digest_update)},
    {OSSL_FUNC_DIGEST_FINAL, as_function(final)},
};

std::string name_without(int function) {
    return "AEGIS-WITHOUT-" + std::to_string(function);
}

// An algorithm with all functions, and for each of them one without it.
class Offer {
 public:
    template <size_t N>
    Offer(const OSSL_DISPATCH (&all)[N], OSSL_DISPATCH for_evp) {
        add("AEGIS-WHOLE:AEGIS-ALIAS", {all, all + N}, for_evp);
        for (const OSSL_DISPATCH &missing : all) {
            std::vector<OSSL_DISPATCH> rest;
            for (const OSSL_DISPATCH &function : all)
                if (function.function_id != missing.function_id) rest.push_back(function);
            add(name_without(missing.function_id), rest, for_evp);
        }
        for (size_t i = 0; i < names_.size(); ++i)
            list_.push_back({names_[i].c_str(), "", functions_[i].data(), ""});
        list_.push_back({nullptr, nullptr, nullptr, nullptr});
    }
    const OSSL_ALGORITHM *list() const { return list_.data(); }

 private:
    void add(const std::string &name, std::vector<OSSL_DISPATCH> functions, OSSL_DISPATCH for_evp) {
        functions.push_back(for_evp);
        functions.push_back({0, nullptr});
        names_.push_back(name);
        functions_.push_back(std::move(functions));
    }
    std::vector<std::string> names_;
    std::vector<std::vector<OSSL_DISPATCH>> functions_;
    std::vector<OSSL_ALGORITHM> list_;
};

const OSSL_ALGORITHM *query(void *, int operation, int *no_cache) {
    static const Offer ciphers(kCipher, {OSSL_FUNC_CIPHER_GET_PARAMS, as_function(get_params)});
    static const Offer digests(kDigest, {OSSL_FUNC_DIGEST_GET_PARAMS, as_function(get_params)});
    *no_cache = 0;
    if (operation == OSSL_OP_CIPHER) return ciphers.list();
    return operation == OSSL_OP_DIGEST ? digests.list() : nullptr;
}

const OSSL_DISPATCH kProvider[] = {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, as_function(query)},
                                   {0, nullptr}};

int start(const OSSL_CORE_HANDLE *, const OSSL_DISPATCH *, const OSSL_DISPATCH **functions,
          void **provider) {
    *functions = kProvider;
    *provider = &provider_of_test;
    return 1;
}

class Dispatch : public ::testing::Test {
 protected:
    // The default provider by name: it is no longer loaded by itself once another is.
    static void SetUpTestSuite() {
        ASSERT_TRUE(OSSL_PROVIDER_load(nullptr, "default"));
        ASSERT_EQ(OSSL_PROVIDER_add_builtin(nullptr, "aegis-test", start), 1);
        loaded = OSSL_PROVIDER_load(nullptr, "aegis-test");
        ASSERT_TRUE(loaded);
    }
    static void TearDownTestSuite() { OSSL_PROVIDER_unload(loaded); }
    void TearDown() override { EXPECT_EQ(ERR_peek_error(), 0u) << "no error is left for others"; }

    static OSSL_PROVIDER *loaded;
};
OSSL_PROVIDER *Dispatch::loaded = nullptr;

constexpr char kMissing[] = "it is missing";

template <typename Made>
void expect_missing(const std::string &name) {
    try {
        const Made made(name.c_str(), kMissing);
        ADD_FAILURE() << name;
    } catch (const Error &error) {
        EXPECT_EQ(error.code, Code::crypto_failure) << name;
        EXPECT_STREQ(error.message, kMissing) << name;
    }
}

}  // namespace

TEST_F(Dispatch, TakesTheFunctionsOfTheAlgorithmThatWasFetched) {
    static const CipherDispatch whole("AEGIS-WHOLE", kMissing), alias("aegis-alias", kMissing);
    for (const CipherDispatch *cipher : {&whole, &alias}) {
        EXPECT_EQ(cipher->provider, &provider_of_test);
        EXPECT_EQ(cipher->encrypt_init, cipher_init);
        EXPECT_EQ(cipher->decrypt_init, cipher_init);
        EXPECT_EQ(cipher->update, update);
        EXPECT_EQ(cipher->final, final);
        EXPECT_EQ(cipher->cipher, update);
        EXPECT_EQ(cipher->get_ctx_params, get_ctx_params);
    }
    static const DigestDispatch digest("AEGIS-WHOLE", kMissing);
    EXPECT_EQ(digest.provider, &provider_of_test);
    EXPECT_EQ(digest.init, digest_init);
    EXPECT_EQ(digest.update, digest_update);
    EXPECT_EQ(digest.final, final);
    static const CipherDispatch other("AES-256-GCM", kMissing);
    EXPECT_NE(other.provider, &provider_of_test);
    EXPECT_NE(other.update, update);
}

TEST_F(Dispatch, RefusesWhatIsMissing) {
    expect_missing<CipherDispatch>("AEGIS-NOBODY-HAS-IT");
    expect_missing<CipherDispatch>("SHA256");
    expect_missing<DigestDispatch>("AEGIS-NOBODY-HAS-IT");
    expect_missing<DigestDispatch>("AES-256-GCM");
    for (const OSSL_DISPATCH &function : kCipher)
        expect_missing<CipherDispatch>(name_without(function.function_id));
    for (const OSSL_DISPATCH &function : kDigest)
        expect_missing<DigestDispatch>(name_without(function.function_id));
}

TEST_F(Dispatch, EveryContextIsFreed) {
    static const CipherDispatch cipher("AEGIS-WHOLE", kMissing);
    static const DigestDispatch digest("AEGIS-WHOLE", kMissing);
    {
        const ProviderContext one = cipher.make_context(), two = digest.make_context();
        const ProviderContext three = digest.copy(two);
        EXPECT_EQ(contexts, 3);
    }
    EXPECT_EQ(contexts, 0);
}

TEST_F(Dispatch, AContextThatCannotBeMadeIsAnError) {
    static const CipherDispatch cipher("AEGIS-WHOLE", kMissing);
    static const DigestDispatch digest("AEGIS-WHOLE", kMissing);
    no_memory = true;
    expect_error(Code::crypto_failure, [&] { (void)cipher.make_context(); });
    expect_error(Code::crypto_failure, [&] { (void)digest.make_context(); });
    no_memory = false;
}
