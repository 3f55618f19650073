// SPDX-License-Identifier: Apache-2.0
// libcurl as the agent uses it, for HTTP and for mail: TLS 1.3 with verification, only to addresses
// that are allowed, nothing from the environment, within limits of time.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <stdexcept>

#include "agent_config.hpp"
#include "outbound_task.hpp"

namespace aegis::server {

struct EasyDeleter {
    void operator()(CURL *easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
    void operator()(curl_slist *list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using List = std::unique_ptr<curl_slist, ListDeleter>;

void append(List *list, const std::string &line);

template <typename Value>
void set(const Easy &easy, CURLoption option, Value value) {
    if (curl_easy_setopt(easy.get(), option, value) != CURLE_OK)
        throw std::runtime_error("libcurl does not know an option that is needed");
}

struct Walls {  // what libcurl's callbacks look at
    const std::vector<Network> *networks;
    const Deadline *deadline;
    bool is_address_refused = false;
    bool is_too_long = false;
};

// Before any thread is made; throws std::runtime_error when libcurl cannot do what is needed.
void prepare_curl();
// A transfer between the walls. `protocols` as CURLOPT_PROTOCOLS_STR takes them; `ca` may be empty.
Easy make_transfer(const AgentConfig &config, const char *protocols, const std::string &ca,
                   Walls *walls);
// What became of a transfer without an answer.
Outcome failure_of(CURLcode code, const Walls &walls);

}  // namespace aegis::server
