// SPDX-License-Identifier: Apache-2.0
#include "fsck_source.hpp"

#include <curl/curl.h>

#include <sys/stat.h>

#include "durable_file.hpp"
#include "verify_io.hpp"

namespace aegis::verify_tool {

namespace {

constexpr long kConnectSeconds = 10;
constexpr long kCallSeconds = 60;
constexpr size_t kTokenBytes = 4096;
constexpr long kGone = 410;

class Folder : public FsckSource {
 public:
    explicit Folder(std::string path) : path_(std::move(path)) {}
    std::optional<std::string> read(const std::string &path, size_t most,
                                    std::string *why) override {
        try {
            return server::read_file(path_ + "/" + path, most);
        } catch (const server::FileError &error) {
            *why = error.what();
            return std::nullopt;
        }
    }

 private:
    std::string path_;
};

struct Taken {
    size_t most;
    std::string bytes;
};

size_t take(char *bytes, size_t, size_t count, void *state) {
    auto *taken = static_cast<Taken *>(state);
    if (taken->bytes.size() + count > taken->most) return 0;
    taken->bytes.append(bytes, count);
    return count;
}

class Web : public FsckSource {
 public:
    explicit Web(const SourceOptions &options) : address_(options.place), easy_(curl_easy_init()) {
        while (address_.back() == '/') address_.pop_back();
        if (easy_ == nullptr) fail("libcurl could not begin", "Is it installed whole?");
        set(CURLOPT_PROTOCOLS_STR, "https,http");
        set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_3);
        set(CURLOPT_FOLLOWLOCATION, 0L);
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
        set(CURLOPT_TIMEOUT, kCallSeconds);
        set(CURLOPT_PROXY, "");
        set(CURLOPT_WRITEFUNCTION, take);
        if (!options.ca.empty()) {
            set(CURLOPT_CAINFO, options.ca.c_str());
            set(CURLOPT_CAPATH, static_cast<const char *>(nullptr));
        }
        if (!options.token_file.empty()) authorise(options.token_file);
    }
    ~Web() override {
        curl_slist_free_all(headers_);
        curl_easy_cleanup(easy_);
    }
    Web(const Web &) = delete;
    Web &operator=(const Web &) = delete;

    std::optional<std::string> read(const std::string &path, size_t most,
                                    std::string *why) override {
        Taken taken{most, ""};
        const std::string url = address_ + "/" + path;
        set(CURLOPT_URL, url.c_str());
        set(CURLOPT_WRITEDATA, &taken);
        const CURLcode done = curl_easy_perform(easy_);
        long status = 0;
        curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
        gone_ = status == kGone;
        if (status != 0 && status != 200)
            *why = "the answer was " + std::to_string(status);
        else if (done == CURLE_WRITE_ERROR)
            *why = "it is longer than " + std::to_string(most) + " bytes";
        else if (done != CURLE_OK)
            *why = curl_easy_strerror(done);
        else
            return std::move(taken.bytes);
        return std::nullopt;
    }
    bool was_gone() const override { return gone_; }

 private:
    template <typename Value>
    void set(CURLoption option, Value value) {
        if (curl_easy_setopt(easy_, option, value) != CURLE_OK)
            fail("libcurl does not know what is needed", "It is too old for TLS 1.3.");
    }

    // The token is in a file, so that no list of processes shows it.
    void authorise(const std::string &path) {
        std::string token = Input(path).all(kTokenBytes);
        while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
        for (const char c : token)
            if (c <= ' ' || c > '~')
                fail("\"" + path + "\" holds no token", "A token is one line of printable text.");
        if (address_.rfind("https://", 0) != 0)
            fail("a token is sent over TLS only", "Give an https:// address.");
        headers_ = curl_slist_append(nullptr, ("Authorization: Bearer " + token).c_str());
        set(CURLOPT_HTTPHEADER, headers_);
    }

    std::string address_;
    bool gone_ = false;
    CURL *easy_;
    curl_slist *headers_ = nullptr;
};

bool begins(const std::string &text, const std::string &with) {
    return text.rfind(with, 0) == 0;
}

}  // namespace

std::unique_ptr<FsckSource> open_source(const SourceOptions &options) {
    const std::string &place = options.place;
    // What stands before an "@" is no host.
    const bool loopback = place.find('@') == std::string::npos &&
                          (begins(place, "http://127.0.0.1:") || begins(place, "http://[::1]:") ||
                           begins(place, "http://localhost:"));
    if (begins(place, "https://") || loopback) {
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
            fail("libcurl could not begin", "Is it installed whole?");
        return std::make_unique<Web>(options);
    }
    struct stat status {};
    if (stat(place.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
        fail("\"" + plain(place) + "\" is neither a folder nor https://…",
             "Plain http:// is for loopback addresses only.");
    if (!options.token_file.empty() || !options.ca.empty())
        fail("--token-file and --ca are for https://…", "Leave them out for a folder.");
    return std::make_unique<Folder>(place);
}

}  // namespace aegis::verify_tool
