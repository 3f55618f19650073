// SPDX-License-Identifier: Apache-2.0
#include "checkpoint_socket.hpp"

#include <cerrno>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "worker.hpp"

namespace aegis::checkpoint {

namespace {

struct Exchange {
    int socket;
    int64_t end_micros;
    bool woken;  // our latch was set meanwhile: somebody waits for the worker
    Reply *reply;
};

void fail(Reply *reply, const char *fault, int error) {
    reply->fault = fault;
    reply->error = error;
}

// False once the time is over.
bool wait_for(Exchange *exchange, int events) {
    for (;;) {
        int64_t left = (exchange->end_micros - worker::now_micros()) / 1000;
        if (left <= 0) {
            fail(exchange->reply, "it did not answer in time", 0);
            return false;
        }
        int happened =
            WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH | events,
                              exchange->socket, static_cast<long>(left), PG_WAIT_EXTENSION);
        if (happened & WL_LATCH_SET) {
            ResetLatch(MyLatch);
            exchange->woken = true;
            CHECK_FOR_INTERRUPTS();
        }
        if (happened & events) return true;
    }
}

bool send_all(Exchange *exchange, core::ByteView request) {
    size_t done = 0;
    while (done < request.size) {
        ssize_t count = send(exchange->socket, request.data + done, request.size - done,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count >= 0) {
            done += static_cast<size_t>(count);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_for(exchange, WL_SOCKET_WRITEABLE)) return false;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return true;  // it answered before it had read everything
        } else if (errno != EINTR) {
            fail(exchange->reply, "the request could not be sent", errno);
            return false;
        }
    }
    return shutdown(exchange->socket, SHUT_WR) == 0 || errno == ENOTCONN;
}

bool receive_all(Exchange *exchange) {
    Reply *reply = exchange->reply;
    for (;;) {
        ssize_t count = recv(exchange->socket, reply->text + reply->size,
                             kMaxReplyBytes - reply->size, MSG_DONTWAIT);
        if (count > 0) {
            reply->size += static_cast<size_t>(count);
            if (reply->size == kMaxReplyBytes) {
                fail(reply, "its answer is too long", 0);
                return false;
            }
        } else if (count == 0 || (errno == ECONNRESET && reply->size > 0)) {
            if (reply->size == 0) fail(reply, "it closed the connection without an answer", 0);
            return reply->size > 0;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_for(exchange, WL_SOCKET_READABLE)) return false;
        } else if (errno != EINTR) {
            fail(reply, "its answer could not be read", errno);
            return false;
        }
    }
}

}  // namespace

void ask(const char *path, core::ByteView request, int millis, Reply *reply) {
    *reply = {};
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    strlcpy(address.sun_path, path, sizeof address.sun_path);
    Exchange exchange = {socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
                         worker::now_micros() + millis * INT64CONST(1000), false, reply};
    if (exchange.socket < 0) {
        fail(reply, "no socket could be made", errno);
        return;
    }
    // A Unix socket connects at once, or says why it does not.
    PG_TRY();
    {
        if (connect(exchange.socket, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
            fail(reply, "nobody answers there", errno);
        else if (send_all(&exchange, request))
            receive_all(&exchange);
    }
    PG_FINALLY();
    { close(exchange.socket); }
    PG_END_TRY();
    if (exchange.woken) SetLatch(MyLatch);
    reply->text[reply->size] = '\0';
}

}  // namespace aegis::checkpoint
