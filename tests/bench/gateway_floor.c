// SPDX-License-Identifier: Apache-2.0
// The floor under the area "gateway": what it takes to pass a request over TLS 1.3 on to a statement and its answer back, when
// nothing else is done. It takes the bearer's token and the path as they come, checks nothing, limits nothing, logs nothing and
// knows one answer. Never let anything but the benchmark on this machine reach it.
//
//   gateway_floor CERTIFICATE KEY SOCKET_FOLDER DATABASE USER THREADS
//
// Listens on a free port of 127.0.0.1 and prints it; ends with SIGTERM. Each thread has a database connection and the
// connections of its own clients.
#include <arpa/inet.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kRequest = 4096, kAnswer = 16384, kEvents = 64 };

static const char kStatement[] = "SELECT status, headers, body FROM aegis.handle($1, $2, ARRAY['authorization', $3], NULL, '127.0.0.1', 'bench')";

typedef struct {
    int poll;
    PGconn *database;
} Thread;

typedef struct {
    SSL *tls;
    int socket;
    size_t got;
    char request[kRequest + 1];
} Client;

static void must(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "gateway_floor: %s failed\n", what);
    exit(1);
}

// Where a field's value or the path begins; cuts it off at its end.
static char *cut(char *text, const char *before, const char *end) {
    char *from = strstr(text, before);
    must(from != NULL, "reading a request");
    from += strlen(before);
    char *to = strstr(from, end);
    must(to != NULL, "reading a request");
    *to = 0;
    return from;
}

// True when the client took it.
static int answer(Thread *thread, Client *client) {
    char *token = cut(client->request, "Authorization: ", "\r\n"), *path = cut(client->request, "GET ", " ");
    const char *values[] = {"GET", path, token};
    PGresult *result = PQexecPrepared(thread->database, "floor", 3, values, NULL, NULL, 1);
    must(PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1, "the statement");
    uint32_t status;
    must(PQgetlength(result, 0, 0) == sizeof status, "the statement");
    memcpy(&status, PQgetvalue(result, 0, 0), sizeof status);
    must(ntohl(status) == 200, "an answer of 200");
    char out[kAnswer];
    int size = PQgetlength(result, 0, 2);
    int head = snprintf(out, sizeof out, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n", size);
    must(head + size < kAnswer, "an answer");
    memcpy(out + head, PQgetvalue(result, 0, 2), (size_t)size);
    PQclear(result);
    return SSL_write(client->tls, out, head + size) == head + size;
}

static void drop(Client *client) {
    SSL_free(client->tls);
    close(client->socket);
    free(client);
}

// What came with the record before lies in OpenSSL's buffer, of which epoll knows nothing.
static void serve(Thread *thread, Client *client) {
    do {
        ERR_clear_error();  // of a client that went away before
        int got = SSL_read(client->tls, client->request + client->got, (int)(kRequest - client->got));
        if (got <= 0) {
            if (SSL_get_error(client->tls, got) != SSL_ERROR_WANT_READ) drop(client);
            return;
        }
        client->got += (size_t)got;
        client->request[client->got] = 0;
        if (strstr(client->request, "\r\n\r\n") == NULL) continue;
        client->got = 0;
        if (!answer(thread, client)) {
            drop(client);
            return;
        }
    } while (SSL_has_pending(client->tls));
}

static void *run(void *argument) {
    Thread *thread = argument;
    struct epoll_event events[kEvents];
    for (;;) {
        int count = epoll_wait(thread->poll, events, kEvents, -1);
        for (int at = 0; at < count; at++) serve(thread, events[at].data.ptr);
    }
    return NULL;
}

static void begin(Thread *thread, const char *folder, const char *database, const char *user) {
    const char *names[] = {"host", "dbname", "user", "sslmode", NULL}, *values[] = {folder, database, user, "disable", NULL};
    thread->database = PQconnectdbParams(names, values, 0);
    must(PQstatus(thread->database) == CONNECTION_OK, "connecting to the database");
    PGresult *prepared = PQprepare(thread->database, "floor", kStatement, 0, NULL);
    must(PQresultStatus(prepared) == PGRES_COMMAND_OK, "preparing the statement");
    PQclear(prepared);
    thread->poll = epoll_create1(0);
    pthread_t id;
    must(thread->poll >= 0 && pthread_create(&id, NULL, run, thread) == 0, "starting a thread");
}

int main(int count, char **arguments) {
    must(count == 7, "reading the arguments");
    int threads = atoi(arguments[6]);
    signal(SIGPIPE, SIG_IGN);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    must(context != NULL && SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
             SSL_CTX_use_certificate_chain_file(context, arguments[1]) == 1 &&
             SSL_CTX_use_PrivateKey_file(context, arguments[2], SSL_FILETYPE_PEM) == 1,
         "reading the certificate");
    Thread *all = calloc((size_t)threads, sizeof *all);
    must(all != NULL, "memory");
    for (int at = 0; at < threads; at++) begin(&all[at], arguments[3], arguments[4], arguments[5]);

    int door = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    must(door >= 0 && bind(door, (struct sockaddr *)&address, size) == 0 && listen(door, 1024) == 0 &&
             getsockname(door, (struct sockaddr *)&address, &size) == 0,
         "listening");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (int next = 0;; next = (next + 1) % threads) {
        int socket = accept(door, NULL, NULL), on = 1;
        must(socket >= 0, "accepting");
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Client *client = calloc(1, sizeof *client);
        must(client != NULL, "memory");
        client->socket = socket;
        client->tls = SSL_new(context);
        must(client->tls != NULL && SSL_set_fd(client->tls, socket) == 1, "memory");
        if (SSL_accept(client->tls) != 1) {
            drop(client);
            continue;
        }
        // Not before: a request that came right after the handshake would lie in a buffer that nobody looks into.
        SSL_set_read_ahead(client->tls, 1);
        must(fcntl(socket, F_SETFL, O_NONBLOCK) == 0, "a socket");
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        must(epoll_ctl(all[next].poll, EPOLL_CTL_ADD, socket, &event) == 0, "watching a client");
    }
}
