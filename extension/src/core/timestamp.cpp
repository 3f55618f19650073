// SPDX-License-Identifier: Apache-2.0
#include "core/timestamp.hpp"

#include <openssl/pem.h>
#include <openssl/ts.h>
#include <openssl/x509_vfy.h>

#include <ctime>

#include "core/openssl.hpp"
#include "core/random.hpp"

namespace aegis::core {

namespace {

template <typename Object, void (*free_object)(Object *)>
struct Deleter {
    void operator()(Object *object) const noexcept { free_object(object); }
};
using Request = std::unique_ptr<TS_REQ, Deleter<TS_REQ, TS_REQ_free>>;
using Response = std::unique_ptr<TS_RESP, Deleter<TS_RESP, TS_RESP_free>>;
using Imprint = std::unique_ptr<TS_MSG_IMPRINT, Deleter<TS_MSG_IMPRINT, TS_MSG_IMPRINT_free>>;
using Verifier = std::unique_ptr<TS_VERIFY_CTX, Deleter<TS_VERIFY_CTX, TS_VERIFY_CTX_free>>;
using Algorithm = std::unique_ptr<X509_ALGOR, Deleter<X509_ALGOR, X509_ALGOR_free>>;
using Integer = std::unique_ptr<ASN1_INTEGER, Deleter<ASN1_INTEGER, ASN1_INTEGER_free>>;
using Number = std::unique_ptr<BIGNUM, Deleter<BIGNUM, BN_free>>;
using Store = std::unique_ptr<X509_STORE, Deleter<X509_STORE, X509_STORE_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509, X509_free>>;
struct BioDeleter {
    void operator()(BIO *bio) const noexcept { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, BioDeleter>;

constexpr size_t kNonceBytes = 8;

[[noreturn]] void out_of_memory() {
    fail(Code::crypto_failure, "the cryptographic library has no memory for a time stamp");
}

Imprint imprint_of(const Digest &digest) {
    Imprint imprint(TS_MSG_IMPRINT_new());
    Algorithm algorithm(X509_ALGOR_new());
    if (!imprint || !algorithm ||
        X509_ALGOR_set0(algorithm.get(), OBJ_nid2obj(NID_sha256), V_ASN1_NULL, nullptr) != 1 ||
        TS_MSG_IMPRINT_set_algo(imprint.get(), algorithm.get()) != 1 ||
        TS_MSG_IMPRINT_set_msg(imprint.get(), const_cast<uint8_t *>(digest.bytes),
                               static_cast<int>(sizeof digest.bytes)) != 1)
        out_of_memory();
    return imprint;
}

Integer nonce() {
    uint8_t bytes[kNonceBytes];
    random_nonce(bytes);
    bytes[0] |= 0x80;  // eight bytes whatever they are: every request has one length
    Number number(BN_bin2bn(bytes, sizeof bytes, nullptr));
    Integer made(number ? BN_to_ASN1_INTEGER(number.get(), nullptr) : nullptr);
    if (!made) out_of_memory();
    return made;
}

Response parse_response(ByteView bytes) {
    if (bytes.size > kMaxTimestampResponseBytes)
        throw Error{Code::malformed, "the time stamp is too long"};
    const uint8_t *at = bytes.data;
    Response response(d2i_TS_RESP(nullptr, &at, static_cast<long>(bytes.size)));
    if (!response || at != bytes.data + bytes.size)
        fail(Code::malformed, "these bytes are no answer of a time stamp authority");
    return response;
}

// The part that says something, of an answer that grants it.
TS_TST_INFO *info_of(TS_RESP *response) {
    TS_TST_INFO *info = TS_RESP_get_tst_info(response);
    const ASN1_INTEGER *status = TS_STATUS_INFO_get0_status(TS_RESP_get_status_info(response));
    const long granted = status == nullptr ? -1 : ASN1_INTEGER_get(status);
    if (info == nullptr || (granted != TS_STATUS_GRANTED && granted != TS_STATUS_GRANTED_WITH_MODS))
        fail(Code::cannot_open, "the authority granted no time stamp");
    return info;
}

void require_imprint(TS_TST_INFO *info, const Digest &digest) {
    TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(info);
    const ASN1_OBJECT *algorithm = nullptr;
    X509_ALGOR_get0(&algorithm, nullptr, nullptr, TS_MSG_IMPRINT_get_algo(imprint));
    const ASN1_OCTET_STRING *message = TS_MSG_IMPRINT_get_msg(imprint);
    const ByteView stamped = {ASN1_STRING_get0_data(message),
                              static_cast<size_t>(ASN1_STRING_length(message))};
    if (OBJ_obj2nid(algorithm) != NID_sha256 || stamped.size != kDigestBytes ||
        memcmp(stamped.data, digest.bytes, kDigestBytes) != 0)
        fail(Code::cannot_open, "the time stamp is over something else");
}

int64_t seconds_of(const TS_TST_INFO *info) {
    tm when = {};
    if (ASN1_TIME_to_tm(TS_TST_INFO_get_time(info), &when) != 1)
        fail(Code::malformed, "the time stamp has no time");
    return timegm(&when);
}

Timestamp said_by(const TS_TST_INFO *info) {
    Timestamp stamp;
    stamp.seconds = seconds_of(info);
    const ASN1_INTEGER *serial = TS_TST_INFO_get_serial(info);
    static constexpr char digits[] = "0123456789abcdef";
    for (int i = 0; i < ASN1_STRING_length(serial); ++i) {
        const uint8_t byte = ASN1_STRING_get0_data(serial)[i];
        stamp.serial += digits[byte >> 4];
        stamp.serial += digits[byte & 15];
    }
    return stamp;
}

// Adds every certificate to the store; how many.
size_t read_authorities(std::string_view pem, X509_STORE *store) {
    if (pem.size() > kMaxAuthorityBytes)
        throw Error{Code::malformed, "the certificates are too long"};
    Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    if (!bio) out_of_memory();
    size_t count = 0;
    for (;; ++count) {
        Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
        if (!certificate) break;
        if (X509_STORE_add_cert(store, certificate.get()) != 1) out_of_memory();
    }
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (count == 0 || !at_end)
        fail(Code::malformed, "these are no certificates of authorities in PEM");
    ERR_clear_error();
    return count;
}

Store store_of(std::string_view authorities, int64_t seconds) {
    Store store(X509_STORE_new());
    if (!store) out_of_memory();
    read_authorities(authorities, store.get());
    // A stamp outlives the certificate that it was made with: what counts is its own time.
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store.get()), static_cast<time_t>(seconds));
    return store;
}

Verifier verifier_of(ByteView request) {
    Verifier verifier(TS_VERIFY_CTX_new());
    if (!verifier) out_of_memory();
    if (request.size > 0) {
        const uint8_t *at = request.data;
        Request asked(d2i_TS_REQ(nullptr, &at, static_cast<long>(request.size)));
        if (!asked || TS_REQ_to_TS_VERIFY_CTX(asked.get(), verifier.get()) == nullptr)
            fail(Code::malformed, "these bytes are no request for a time stamp");
    }
    TS_VERIFY_CTX_add_flags(verifier.get(), TS_VFY_SIGNATURE | TS_VFY_VERSION | TS_VFY_SIGNER);
    return verifier;
}

}  // namespace

std::string timestamp_request(const Digest &digest) {
    Request request(TS_REQ_new());
    const Imprint imprint = imprint_of(digest);
    const Integer number = nonce();
    if (!request || TS_REQ_set_version(request.get(), 1) != 1 ||
        TS_REQ_set_msg_imprint(request.get(), imprint.get()) != 1 ||
        TS_REQ_set_nonce(request.get(), number.get()) != 1 ||
        TS_REQ_set_cert_req(request.get(), 1) != 1)
        out_of_memory();
    uint8_t *der = nullptr;
    const int size = i2d_TS_REQ(request.get(), &der);
    if (size <= 0) out_of_memory();
    std::string bytes(reinterpret_cast<const char *>(der), static_cast<size_t>(size));
    OPENSSL_free(der);
    return bytes;
}

size_t count_authorities(std::string_view pem) {
    Store store(X509_STORE_new());
    if (!store) out_of_memory();
    return read_authorities(pem, store.get());
}

Timestamp open_timestamp(ByteView response, const Digest &imprint, std::string_view authorities,
                         ByteView request) {
    const Response parsed = parse_response(response);
    TS_TST_INFO *info = info_of(parsed.get());
    require_imprint(info, imprint);
    const Timestamp stamp = said_by(info);
    const Verifier verifier = verifier_of(request);
    TS_VERIFY_CTX_set_store(verifier.get(), store_of(authorities, stamp.seconds).release());
    if (TS_RESP_verify_response(verifier.get(), parsed.get()) != 1)
        fail(Code::cannot_open, "the time stamp is not of an authority that is trusted");
    ERR_clear_error();
    return stamp;
}

Timestamp read_timestamp(ByteView response, const Digest &imprint) {
    const Response parsed = parse_response(response);
    TS_TST_INFO *info = info_of(parsed.get());
    require_imprint(info, imprint);
    return said_by(info);
}

}  // namespace aegis::core
