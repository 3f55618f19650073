// SPDX-License-Identifier: Apache-2.0
#include "console.hpp"

#include "console_files.hpp"
#include "core/encoding.hpp"
#include "core/random.hpp"

#include <algorithm>
#include <iterator>

namespace aegis::server {

namespace {

constexpr std::string_view kPayerPage = "/invoice";  // of whoever has its link
constexpr std::string_view kPages[] = {"/",
                                       "/login",
                                       "/reset",
                                       "/status",
                                       "/sign-up",
                                       "/invitation",
                                       kPayerPage,
                                       "/dashboard",
                                       "/customers",
                                       "/customers/{id}",
                                       "/invoices",
                                       "/invoices/{id}",  // also /invoices/new
                                       "/payments",
                                       "/checks",
                                       "/subjects",
                                       "/subjects/{id}",
                                       "/erasures",
                                       "/erasures/{id}",
                                       "/reporting",
                                       "/reporting/{id}",
                                       "/team",
                                       "/ledger",
                                       "/ledger/{leaf}",
                                       "/webhooks",
                                       "/webhooks/{id}",
                                       "/security",
                                       "/api-docs"};

constexpr std::string_view kInterface = "/api/";  // where no page is
constexpr std::string_view kAsset = "/assets/{file}";
constexpr std::string_view kNonce = "{{nonce}}";
constexpr size_t kNonceBytes = 16;

// A template ends in its parameter, which is one segment.
bool matches(std::string_view page, std::string_view path) {
    size_t parameter = page.find('{');
    if (parameter == std::string_view::npos) return page == path;
    return path.size() > parameter && path.substr(0, parameter) == page.substr(0, parameter) &&
           path.find('/', parameter) == std::string_view::npos;
}

const ConsoleFile *find_asset(std::string_view path) {
    const std::vector<ConsoleFile> &assets = console_assets();
    auto found = std::find_if(assets.begin(), assets.end(),
                              [&](const ConsoleFile &file) { return file.path == path; });
    return found != assets.end() ? &*found : nullptr;
}

std::string make_nonce() {
    uint8_t raw[kNonceBytes];
    core::random_nonce(core::ByteSpan(raw, sizeof(raw)));
    std::string text(core::base64url_size(sizeof(raw)), '\0');
    core::to_base64url(core::ByteView(raw, sizeof(raw)), text.data());
    return text;
}

std::string fill_shell(const std::string &nonce) {
    std::string_view shell = console_shell();
    std::string out;
    out.reserve(shell.size() + 256);
    for (size_t at = 0; at < shell.size();) {
        size_t place = std::min(shell.find(kNonce, at), shell.size());
        out += shell.substr(at, place - at);
        if (place < shell.size()) out += nonce;
        at = place + kNonce.size();
    }
    return out;
}

// Only what carries the nonce runs or styles, only this origin is asked, and no script can turn a
// text into markup.
std::string policy(const std::string &nonce, const std::vector<std::string> &forms) {
    std::string action = "form-action 'self'";
    for (const std::string &form : forms) action += " " + form;
    return "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce +
           "'; img-src 'self' data:; connect-src 'self'; " + action +
           "; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
           "trusted-types 'none'";
}

}  // namespace

std::string_view console_route(std::string_view path) {
    if (path.compare(0, kInterface.size(), kInterface) == 0) return {};  // as most requests are
    const auto *page = std::find_if(std::begin(kPages), std::end(kPages),
                                    [&](std::string_view known) { return matches(known, path); });
    if (page != std::end(kPages)) return *page;
    return find_asset(path) != nullptr ? kAsset : std::string_view();
}

Response console_response(std::string_view path, const std::vector<std::string> &payment_forms) {
    Response response;
    response.status = 200;
    if (const ConsoleFile *asset = find_asset(path)) {
        response.set("content-type", std::string(asset->type));
        response.set("cache-control", "public, max-age=31536000, immutable");
        response.body = asset->content;
    } else {
        std::string nonce = make_nonce();
        response.set("content-type", "text/html; charset=utf-8");
        response.set(
            "content-security-policy",
            policy(nonce, path == kPayerPage ? payment_forms : std::vector<std::string>()));
        response.body = fill_shell(nonce);
    }
    return response;
}

}  // namespace aegis::server
