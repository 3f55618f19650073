// SPDX-License-Identifier: Apache-2.0
#include "tls.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace aegis::server {

namespace {

std::string openssl_reason() {
    unsigned long code = ERR_peek_last_error();
    const char *text = code != 0 ? ERR_reason_error_string(code) : nullptr;
    ERR_clear_error();
    return text != nullptr ? text : "unknown reason";
}

int choose_protocol(SSL *, const unsigned char **out, unsigned char *out_length,
                    const unsigned char *in, unsigned int in_length, void *) {
    static constexpr unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_length, ours, sizeof(ours) - 1, in, in_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

// A key that others may read is as good as published.
void check_key_file(const std::string &key) {
    struct stat info {};
    if (stat(key.c_str(), &info) != 0)
        throw TlsError("cannot read the private key \"" + key + "\": " + std::strerror(errno),
                       "Check [tls] key and the permissions of its folder.");
    if ((info.st_mode & 0027) != 0)
        throw TlsError("the private key \"" + key + "\" may be read or written by others",
                       "Run chmod 0600 on it.");
}

void require(bool good, const char *what) {
    if (!good)
        throw TlsError(std::string("cannot ") + what + ": " + openssl_reason(),
                       "This is a fault of the OpenSSL installation.");
}

void write_pem(const std::string &path, mode_t mode, BIO *pem) {
    // Written beside and renamed, so that a start that is interrupted leaves no half file.
    std::string made = path + ".new";
    unlink(made.c_str());
    int fd = open(made.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
    if (fd < 0)
        throw TlsError("cannot create \"" + path + "\": " + std::strerror(errno),
                       "The folder must exist and be writable by the user of aegis-server.");
    char *bytes = nullptr;
    long size = BIO_get_mem_data(pem, &bytes);
    bool written = write(fd, bytes, static_cast<size_t>(size)) == size && fsync(fd) == 0;
    written = close(fd) == 0 && written;
    if (!written || rename(made.c_str(), path.c_str()) != 0)
        throw TlsError("cannot write \"" + path + "\": " + std::strerror(errno),
                       "Is the disk full?");
}

void add_extension(X509 *certificate, int kind, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, &context, kind, value), X509_EXTENSION_free);
    require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1,
            "add a certificate extension");
}

}  // namespace

TlsContext make_tls_context(const std::string &certificate, const std::string &key) {
    check_key_file(key);
    TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    require(context != nullptr, "create a TLS context");
    SSL_CTX *raw = context.get();
    require(SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) == 1, "require TLS 1.3");
    require(SSL_CTX_set1_groups_list(raw, "X25519:P-256:P-384") == 1, "choose the groups");
    SSL_CTX_set_options(
        raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    // Otherwise a client that only changes its keys would keep SSL_read(), and so a worker, busy.
    SSL_CTX_clear_mode(raw, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(raw, 1);  // a record's head and body with one system call
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);  // tickets carry the state
    SSL_CTX_set_max_early_data(raw, 0);
    SSL_CTX_set_num_tickets(raw, 1);
    SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
    if (SSL_CTX_use_certificate_chain_file(raw, certificate.c_str()) != 1)
        throw TlsError("cannot read the certificate \"" + certificate + "\": " + openssl_reason(),
                       "It must be a readable PEM file: the certificate, then its chain.");
    if (SSL_CTX_use_PrivateKey_file(raw, key.c_str(), SSL_FILETYPE_PEM) != 1)
        throw TlsError("cannot use the private key \"" + key + "\": " + openssl_reason(),
                       "It must be a readable, unencrypted PEM file that belongs to the "
                       "certificate.");
    if (SSL_CTX_check_private_key(raw) != 1)
        throw TlsError("the private key \"" + key + "\" does not belong to the certificate \"" +
                           certificate + "\"",
                       "Check [tls] certificate and key.");
    return context;
}

bool make_development_certificate(const std::string &certificate, const std::string &key) {
    if (access(certificate.c_str(), F_OK) == 0 && access(key.c_str(), F_OK) == 0) return false;
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pair(EVP_EC_gen("P-256"), EVP_PKEY_free);
    std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), X509_free);
    require(pair != nullptr && made != nullptr, "make a key pair");
    unsigned char serial[16];
    require(RAND_bytes(serial, sizeof(serial)) == 1, "get random bytes");
    serial[0] &= 0x7f;
    std::unique_ptr<BIGNUM, decltype(&BN_free)> number(BN_bin2bn(serial, sizeof(serial), nullptr),
                                                       BN_free);
    require(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(made.get())) != nullptr,
            "set the serial number");
    X509_set_version(made.get(), 2);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 365L * 86400);
    X509_NAME *name = X509_get_subject_name(made.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char *>("localhost"), -1, -1, 0);
    X509_set_issuer_name(made.get(), name);
    X509_set_pubkey(made.get(), pair.get());
    add_extension(made.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
    // So that a client can be told to trust exactly this file.
    add_extension(made.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    add_extension(made.get(), NID_key_usage, "critical,digitalSignature,keyCertSign");
    add_extension(made.get(), NID_ext_key_usage, "serverAuth");
    require(X509_sign(made.get(), pair.get(), EVP_sha256()) > 0, "sign the certificate");
    std::unique_ptr<BIO, decltype(&BIO_free)> key_pem(BIO_new(BIO_s_mem()), BIO_free);
    std::unique_ptr<BIO, decltype(&BIO_free)> certificate_pem(BIO_new(BIO_s_mem()), BIO_free);
    require(PEM_write_bio_PKCS8PrivateKey(key_pem.get(), pair.get(), nullptr, nullptr, 0, nullptr,
                                          nullptr) == 1 &&
                PEM_write_bio_X509(certificate_pem.get(), made.get()) == 1,
            "write PEM");
    write_pem(key, 0600, key_pem.get());
    write_pem(certificate, 0644, certificate_pem.get());
    return true;
}

}  // namespace aegis::server
