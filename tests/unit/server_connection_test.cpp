// SPDX-License-Identifier: Apache-2.0
// What went wrong on one connection of a thread is nothing of another's.
#include "connection.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace {

using namespace aegis::server;

// A gateway's end and a client's, over a pair of sockets.
class TlsPair : public testing::Test {
 protected:
    void SetUp() override {
        char name[] = "/tmp/aegis-tls-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder_ = name;
        const std::string certificate = folder_ + "/c", key = folder_ + "/k";
        ASSERT_TRUE(make_development_certificate(certificate, key));
        int ends[2];
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        ours_ = std::make_unique<Connection>(1, ends[0], Listener::main, "127.0.0.1",
                                             make_tls_context(certificate, key));
        context_ = SSL_CTX_new(TLS_client_method());
        client_ = SSL_new(context_);
        fd_ = ends[1];
        ASSERT_EQ(SSL_set_fd(client_, fd_), 1);
        SSL_set_connect_state(client_);
    }
    void TearDown() override {
        SSL_free(client_);
        SSL_CTX_free(context_);
        close(fd_);
        for (const char *file : {"/c", "/k"}) unlink((folder_ + file).c_str());
        rmdir(folder_.c_str());
    }
    void shake_hands() {
        SSL_do_handshake(client_);
        ASSERT_EQ(ours_->hello(), Io::done);
        for (int round = 0; round < 10 && !SSL_is_init_finished(client_); ++round) {
            ours_->handshake();
            ERR_clear_error();
            SSL_do_handshake(client_);
        }
        ASSERT_EQ(ours_->handshake(), Io::done);
        ERR_clear_error();
    }
    // As libpq leaves one behind when a database's certificate is refused.
    static void leave_an_error() { ERR_raise(ERR_LIB_SSL, SSL_R_CERTIFICATE_VERIFY_FAILED); }

    std::string folder_;
    std::unique_ptr<Connection> ours_;
    SSL_CTX *context_ = nullptr;
    SSL *client_ = nullptr;
    int fd_ = -1;
};

TEST_F(TlsPair, ErrorsOfOthersEndNoRequestAndNoAnswer) {
    shake_hands();
    leave_an_error();
    EXPECT_EQ(ours_->fill(100), Io::want_read);
    ASSERT_EQ(SSL_write(client_, "request", 7), 7);
    leave_an_error();
    EXPECT_EQ(ours_->fill(100), Io::want_read);
    EXPECT_EQ(ours_->in, "request");
    // Until the sockets are full.
    Io io = Io::done;
    for (int round = 0; round < 1000 && io == Io::done; ++round) {
        ours_->out.assign(16384, 'a');
        leave_an_error();
        io = ours_->flush();
    }
    EXPECT_EQ(io, Io::want_write);
}

}  // namespace
