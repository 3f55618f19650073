// SPDX-License-Identifier: Apache-2.0
#include "outbound_curl.hpp"

namespace aegis::server {

namespace {

curl_socket_t open_socket(void *state, curlsocktype, curl_sockaddr *address) {
    auto *walls = static_cast<Walls *>(state);
    std::optional<Address> wanted = address_of(&address->addr);
    if (!wanted || !is_allowed(*wanted, *walls->networks)) {
        walls->is_address_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

int look_on(void *state, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return is_over(*static_cast<Walls *>(state)->deadline) ? 1 : 0;
}

}  // namespace

void append(List *list, const std::string &line) {
    curl_slist *grown = curl_slist_append(list->get(), line.c_str());
    if (grown == nullptr) throw std::bad_alloc();
    (void)list->release();
    list->reset(grown);
}

void prepare_curl() {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        throw std::runtime_error("libcurl could not be started");
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
    if ((version->features & CURL_VERSION_SSL) == 0 ||
        (version->features & CURL_VERSION_ASYNCHDNS) == 0)
        throw std::runtime_error("libcurl has no TLS, or cannot give up looking for a name");
}

Easy make_transfer(const AgentConfig &config, const char *protocols, const std::string &ca,
                   Walls *walls) {
    Easy easy(curl_easy_init());
    if (easy == nullptr) throw std::bad_alloc();
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_PROTOCOLS_STR, protocols);
    // Neither a proxy nor a password comes from the environment.
    set(easy, CURLOPT_PROXY, "");
    set(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));
    set(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    set(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!ca.empty()) {
        set(easy, CURLOPT_CAINFO, ca.c_str());
        set(easy, CURLOPT_CAPATH, static_cast<const char *>(nullptr));
    }
    set(easy, CURLOPT_CONNECTTIMEOUT, static_cast<long>(config.connect_seconds_out));
    set(easy, CURLOPT_TIMEOUT, static_cast<long>(config.call_seconds));
    set(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    set(easy, CURLOPT_OPENSOCKETDATA, walls);
    set(easy, CURLOPT_NOPROGRESS, 0L);
    set(easy, CURLOPT_XFERINFOFUNCTION, look_on);
    set(easy, CURLOPT_XFERINFODATA, walls);
    return easy;
}

Outcome failure_of(CURLcode code, const Walls &walls) {
    if (walls.is_address_refused) return Outcome::refused("address_not_allowed");
    if (walls.is_too_long) return Outcome::refused("answer_too_long");
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
            return Outcome::retry("host_unknown");
        case CURLE_COULDNT_CONNECT:
            return Outcome::retry("not_reachable");
        case CURLE_OPERATION_TIMEDOUT:
            return Outcome::retry("timeout");
        // Certificates are renewed and roots replaced: what is wrong today may be right tomorrow.
        case CURLE_PEER_FAILED_VERIFICATION:
            return Outcome::retry("certificate_wrong");
        case CURLE_SSL_CACERT_BADFILE:
            return Outcome::retry("authority_unreadable");
        case CURLE_SSL_CONNECT_ERROR:
            return Outcome::retry("tls_failed");
        case CURLE_ABORTED_BY_CALLBACK:
            return Outcome::retry("stopping");
        default:
            return Outcome::retry("connection_lost");
    }
}

}  // namespace aegis::server
