// SPDX-License-Identifier: Apache-2.0
// The server side of TLS 1.3: its policy, its certificate and the change of certificate while
// running. There is no setting for an older protocol.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

struct ssl_ctx_st;

namespace aegis::server {

class TlsError : public std::runtime_error {
 public:
    TlsError(const std::string &message, std::string hint)
        : std::runtime_error(message), hint_(std::move(hint)) {}
    const std::string &hint() const { return hint_; }

 private:
    std::string hint_;
};

using TlsContext = std::shared_ptr<ssl_ctx_st>;

// Reads both PEM files and checks that they belong together. Throws TlsError.
TlsContext make_tls_context(const std::string &certificate, const std::string &key);

// Makes a self-signed certificate for localhost (P-256, one year) unless both files are there. The
// key's file is 0600. True when it made one. Throws TlsError.
bool make_development_certificate(const std::string &certificate, const std::string &key);

}  // namespace aegis::server
