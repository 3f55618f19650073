// SPDX-License-Identifier: Apache-2.0
// One client connection as a state that never blocks: whoever holds it reads and writes what is
// possible now and parks it when the other side has to move. So a slow client costs memory, which
// is bounded, and no thread.
#pragma once

#include "head.hpp"
#include "held_bytes.hpp"
#include "rate.hpp"
#include "tls.hpp"
#include "verdict.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

struct ssl_st;

namespace aegis::server {

struct Config;

enum class Listener { main, admin, redirect };

enum class Phase {
    hello,      // nothing seen yet: plain text or TLS?
    handshake,  // TLS
    head,       // waiting for, or in the middle of, a request head
    body,       // head accepted, body incomplete
    ready,      // request complete, to be answered
    write,      // answer partly written
    linger,     // closed for writing; what still comes is thrown away
};

enum class Io { done, want_read, want_write, closed };

class Connection {
 public:
    Connection(uint64_t id, int fd, Listener listener, std::string peer, TlsContext tls);
    ~Connection();
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    // done: the first byte is there and is TLS, or the listener is a plain one.
    // closed: the client speaks plain text to a TLS port (plain_text is set) or went away.
    Io hello();
    Io handshake();
    // Appends to in until there is nothing more to read (want_read) or in holds limit bytes (done).
    Io fill(size_t limit);
    // True when TLS holds bytes that no readiness of the socket will announce.
    bool has_pending() const;
    // Writes what is left of out.
    Io flush();
    // Tells the other side that nothing more comes.
    void half_close();
    // Reads and throws away; closed when the other side is done or has sent too much.
    Io discard();

    const uint64_t id;
    const int fd;
    const Listener listener;
    const std::string peer;

    // As they were when it came, and from the first byte of a request on as they were then.
    std::shared_ptr<const Config> settings;

    Phase phase = Phase::hello;
    std::string in;
    std::string out;
    size_t written = 0;
    bool close_after = false;
    bool plain_text = false;
    unsigned served = 0;

    // The current request.
    Head head;
    bool head_begun = false;
    std::string request_id;
    Verdict verdict;
    HeldBytes::Share held;  // for a body to come, or an answer that is not taken
    std::chrono::steady_clock::time_point started{};  // when its head was complete

    std::chrono::steady_clock::time_point phase_deadline{};

    // The poller's: guarded by its lock.
    AddressCount::Place place;
    bool parked = false;
    bool expired = false;

 private:
    Io take(int result);
    Io transfer_in(char *to, size_t size, size_t *got);
    // Told of every message of TLS.
    static void note_message(int is_ours, int version, int type, const void *bytes, size_t size,
                             ssl_st *ssl, void *connection);

    TlsContext tls_;
    ssl_st *ssl_ = nullptr;
    size_t discarded_ = 0;
    unsigned key_updates_ = 0;
};

}  // namespace aegis::server
