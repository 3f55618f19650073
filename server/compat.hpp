// SPDX-License-Identifier: Apache-2.0
// Differences between the versions of cpp-httplib, and nothing else. Code elsewhere is written once
// against 0.11 (Debian 12) and newer.
#pragma once

#include <httplib.h>

#include <type_traits>

// Debian's cpp-httplib is a compiled library: these macros change the layout of its classes, and a
// program built without them corrupts memory. They come from pkg-config; Front::self_check() is the
// second net, at run time.
#if defined(AEGIS_HTTPLIB_SHARED) &&                                             \
    !(defined(CPPHTTPLIB_OPENSSL_SUPPORT) && defined(CPPHTTPLIB_ZLIB_SUPPORT) && \
      defined(CPPHTTPLIB_BROTLI_SUPPORT))
#error "compile with the flags of pkg-config --cflags cpp-httplib"
#endif

namespace aegis::server::compat {

// Opens the protected process_request(), whose parameters changed with 0.18.
class HttplibServer : public httplib::Server {
 public:
    bool process(httplib::Stream &stream, bool close) { return call(*this, stream, close, 0); }

 private:
    template <class Self>
    static auto call(Self &self, httplib::Stream &stream, bool close, int)
        -> decltype(self.process_request(stream, close, close, nullptr)) {
        bool closed = false;
        return self.process_request(stream, close, closed, nullptr);
    }
    template <class Self>
    static auto call(Self &self, httplib::Stream &stream, bool close, long)
        -> decltype(self.process_request(stream, std::string(), 0, std::string(), 0, close, close,
                                         nullptr)) {
        bool closed = false;
        return self.process_request(stream, "", 0, "", 0, close, closed, nullptr);
    }
};

// The parts of a Stream that nothing here needs. Later versions ask for more of them, so the newer
// ones are declared without "override".
class MemoryStream : public httplib::Stream {
 public:
    using httplib::Stream::write;

    bool is_readable() const { return true; }
    bool is_writable() const { return true; }
    bool wait_readable() const { return true; }
    bool wait_writable() const { return true; }
    time_t duration() const { return 0; }
    void get_remote_ip_and_port(std::string &ip, int &port) const override {
        ip.clear();
        port = 0;
    }
    void get_local_ip_and_port(std::string &ip, int &port) const override {
        ip.clear();
        port = 0;
    }
    socket_t socket() const override { return -1; }
};

}  // namespace aegis::server::compat
