// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace aegis::server {

namespace {

constexpr size_t kReadStep = 16384;
constexpr size_t kDiscardLimit = 262144;
constexpr unsigned char kTlsHandshakeRecord = 0x16;
// No client needs a new key within the requests of one connection; each costs us as much as it.
constexpr unsigned kMostKeyUpdates = 32;

// Before each call whose result take() reads: an error that another connection of the thread left
// in the queue, a client's or the database's, would be taken for its own. Mostly there is none.
void forget_errors() {
    if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace

Connection::Connection(uint64_t id_, int fd_, Listener listener_, std::string peer_, TlsContext tls)
    : id(id_), fd(fd_), listener(listener_), peer(std::move(peer_)), tls_(std::move(tls)) {}

Connection::~Connection() {
    if (ssl_ != nullptr) SSL_free(ssl_);
    close(fd);
}

Io Connection::take(int result) {
    switch (SSL_get_error(ssl_, result)) {
        case SSL_ERROR_NONE:
            return Io::done;
        case SSL_ERROR_WANT_READ:
            return Io::want_read;
        case SSL_ERROR_WANT_WRITE:
            return Io::want_write;
        default:
            return Io::closed;
    }
}

Io Connection::hello() {
    if (tls_ == nullptr) return Io::done;
    unsigned char first;
    ssize_t got = recv(fd, &first, 1, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Io::want_read;
    if (got <= 0) return Io::closed;
    if (first != kTlsHandshakeRecord) {
        plain_text = true;
        return Io::closed;
    }
    ssl_ = SSL_new(tls_.get());
    if (ssl_ == nullptr || SSL_set_fd(ssl_, fd) != 1) return Io::closed;
    SSL_set_accept_state(ssl_);
    SSL_set_msg_callback(ssl_, note_message);
    SSL_set_msg_callback_arg(ssl_, this);
    return Io::done;
}

void Connection::note_message(int is_ours, int, int type, const void *bytes, size_t size, SSL *,
                              void *connection) {
    if (is_ours == 0 && type == SSL3_RT_HANDSHAKE && size > 0 &&
        *static_cast<const unsigned char *>(bytes) == SSL3_MT_KEY_UPDATE)
        ++static_cast<Connection *>(connection)->key_updates_;
}

Io Connection::handshake() {
    if (ssl_ == nullptr) return Io::done;
    forget_errors();
    return take(SSL_do_handshake(ssl_));
}

Io Connection::transfer_in(char *to, size_t size, size_t *got) {
    if (ssl_ != nullptr) {
        forget_errors();
        const Io io = take(SSL_read_ex(ssl_, to, size, got));
        if (key_updates_ <= kMostKeyUpdates) return io;
        *got = 0;
        return Io::closed;
    }
    ssize_t count = recv(fd, to, size, 0);
    if (count < 0 && errno == EINTR) count = recv(fd, to, size, 0);
    if (count > 0) {
        *got = static_cast<size_t>(count);
        return Io::done;
    }
    return count < 0 && errno == EAGAIN ? Io::want_read : Io::closed;
}

Io Connection::fill(size_t limit) {
    // Not straight into in: an idle connection would keep room for the largest read.
    char step[kReadStep];
    while (in.size() < limit) {
        size_t got = 0;
        Io io = transfer_in(step, std::min(kReadStep, limit - in.size()), &got);
        in.append(step, got);
        if (io != Io::done) return io;
        // A short read means that the socket is empty; a TLS record may have left more behind.
        if (ssl_ == nullptr ? got < kReadStep : SSL_has_pending(ssl_) == 0)
            return in.size() < limit ? Io::want_read : Io::done;
    }
    return Io::done;
}

bool Connection::has_pending() const {
    return ssl_ != nullptr && SSL_has_pending(ssl_) == 1;
}

Io Connection::flush() {
    while (written < out.size()) {
        const char *from = out.data() + written;
        size_t left = out.size() - written;
        if (ssl_ != nullptr) {
            size_t sent = 0;
            forget_errors();
            Io io = take(SSL_write_ex(ssl_, from, left, &sent));
            if (io != Io::done) return io;
            written += sent;
        } else {
            ssize_t sent = send(fd, from, left, MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent < 0) return errno == EAGAIN ? Io::want_write : Io::closed;
            written += static_cast<size_t>(sent);
        }
    }
    out.clear();
    if (out.capacity() > 65536) out.shrink_to_fit();
    written = 0;
    return Io::done;
}

void Connection::half_close() {
    if (ssl_ != nullptr && SSL_is_init_finished(ssl_)) {
        (void)SSL_shutdown(ssl_);  // close_notify, as far as it fits into the socket
    }
    shutdown(fd, SHUT_WR);
}

Io Connection::discard() {
    // Below TLS: what comes is not looked at any more.
    char sink[kReadStep];
    while (discarded_ < kDiscardLimit) {
        ssize_t got = recv(fd, sink, sizeof(sink), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return Io::want_read;
        if (got <= 0) return Io::closed;
        discarded_ += static_cast<size_t>(got);
    }
    return Io::closed;
}

}  // namespace aegis::server
