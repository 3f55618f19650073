// SPDX-License-Identifier: Apache-2.0
// What OpenSSL costs alone, in a loop without a database: the floor under every figure of the area
// "encryption". Prints "OPERATION BYTES NANOSECONDS"; the argument is how many milliseconds each takes.
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { kNonce = 12, kTag = 16, kPool = 3072, kAssociated = 48 };

static EVP_CIPHER *gcm_cipher, *block_cipher;
static EVP_CIPHER_CTX *gcm, *opener, *rekeyed, *blocks;
static unsigned char key[32], associated[kAssociated], plain[256], cipher[256 + kTag], tag[kTag], nonce[24];
static unsigned char pool[kPool];
static size_t pool_at = kPool;

static void must(int ok) {
    if (ok == 1) return;
    fputs("evp_floor: OpenSSL failed\n", stderr);
    exit(1);
}

static void pooled(unsigned char *out, size_t bytes) {
    if (pool_at + bytes > kPool) {
        must(RAND_bytes(pool, kPool));
        pool_at = 0;
    }
    memcpy(out, pool + pool_at, bytes);
    pool_at += bytes;
}

static void seal_with(EVP_CIPHER_CTX *ctx, const unsigned char *new_key, const unsigned char *iv, size_t bytes) {
    int n;
    must(EVP_EncryptInit_ex2(ctx, NULL, new_key, iv, NULL));
    must(EVP_EncryptUpdate(ctx, NULL, &n, associated, kAssociated));
    must(EVP_EncryptUpdate(ctx, cipher, &n, plain, (int)bytes));
    must(EVP_EncryptFinal_ex(ctx, tag, &n));
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, kTag, tag));
}

static void open_with(EVP_CIPHER_CTX *ctx, const unsigned char *new_key, const unsigned char *iv, size_t bytes) {
    int n;
    unsigned char out[256], none[16];
    must(EVP_DecryptInit_ex2(ctx, NULL, new_key, iv, NULL));
    must(EVP_DecryptUpdate(ctx, NULL, &n, associated, kAssociated));
    must(EVP_DecryptUpdate(ctx, out, &n, cipher, (int)bytes));
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, kTag, tag));
    must(EVP_DecryptFinal_ex(ctx, none, &n));
}

// The per-message key of XAES-256-GCM: two blocks of AES.
static void subkey(unsigned char out[32]) {
    int n;
    unsigned char in[32] = {0, 1, 'X', 0};
    memcpy(in + 4, nonce, 12);
    memcpy(in + 16, in, 16);
    in[17] = 2;
    must(EVP_EncryptUpdate(blocks, out, &n, in, sizeof in));
}

static void nonce_alone(size_t bytes) {
    (void)bytes;
    must(RAND_bytes(nonce, kNonce));
}
static void gcm_seal(size_t bytes) {
    must(RAND_bytes(nonce, kNonce));
    seal_with(gcm, NULL, nonce, bytes);
}
static void gcm_seal_pooled(size_t bytes) {
    pooled(nonce, kNonce);
    seal_with(gcm, NULL, nonce, bytes);
}
static void gcm_open(size_t bytes) {
    open_with(opener, NULL, nonce, bytes);
}
static void xaes_seal_pooled(size_t bytes) {
    unsigned char derived[32];
    pooled(nonce, sizeof nonce);
    subkey(derived);
    seal_with(rekeyed, derived, nonce + 12, bytes);
}
static void xaes_open(size_t bytes) {
    unsigned char derived[32];
    subkey(derived);
    open_with(rekeyed, derived, nonce + 12, bytes);
}
static void hmac_sha256(size_t bytes) {
    unsigned int n;
    unsigned char out[32];
    if (HMAC(EVP_sha256(), key, sizeof key, plain, bytes, out, &n) == NULL) must(0);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

static void measure(const char *name, void (*operation)(size_t), size_t bytes, double seconds) {
    double began = now(), took;
    long done = 0;
    do {
        for (int i = 0; i < 200; i++) operation(bytes);
        done += 200;
        took = now() - began;
    } while (took < seconds);
    printf("%s %zu %.1f\n", name, bytes, took * 1e9 / (double)done);
}

int main(int count, char **arguments) {
    double seconds = (count > 1 ? atof(arguments[1]) : 200) / 1000;
    must((gcm_cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL)) != NULL);
    must((block_cipher = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL)) != NULL);
    gcm = EVP_CIPHER_CTX_new(), opener = EVP_CIPHER_CTX_new(), rekeyed = EVP_CIPHER_CTX_new(), blocks = EVP_CIPHER_CTX_new();
    must(RAND_bytes(key, sizeof key));
    must(EVP_EncryptInit_ex2(gcm, gcm_cipher, key, NULL, NULL));
    must(EVP_DecryptInit_ex2(opener, gcm_cipher, key, NULL, NULL));
    must(EVP_EncryptInit_ex2(rekeyed, gcm_cipher, key, NULL, NULL));
    must(EVP_EncryptInit_ex2(blocks, block_cipher, key, NULL, NULL));
    must(EVP_CIPHER_CTX_set_padding(blocks, 0));
    static const size_t sizes[] = {32, 256};
    for (int i = 0; i < 2; i++) {
        size_t bytes = sizes[i];
        measure("nonce", nonce_alone, bytes, seconds);
        measure("gcm_seal", gcm_seal, bytes, seconds);
        measure("gcm_seal_pooled", gcm_seal_pooled, bytes, seconds);
        measure("gcm_open", gcm_open, bytes, seconds);
        measure("xaes_seal_pooled", xaes_seal_pooled, bytes, seconds);
        measure("xaes_open", xaes_open, bytes, seconds);
        measure("hmac", hmac_sha256, bytes, seconds);
    }
    return 0;
}
