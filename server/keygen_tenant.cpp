// SPDX-License-Identifier: Apache-2.0
#include "keygen_tenant.hpp"

#include <cstdio>

#include "core/brought_key.hpp"
#include "core/encoding.hpp"
#include "core/error.hpp"
#include "core/keyring.hpp"
#include "core/random.hpp"
#include "key_file.hpp"

namespace aegis::keygen_tenant {

namespace {

std::string hex(core::ByteView bytes) {
    std::string text(core::hex_size(bytes.size), '\0');
    core::to_hex(bytes, text.data());
    return text;
}

// A UUID with or without hyphens.
void read_tenant(std::string text, core::ByteSpan out) {
    for (size_t at; (at = text.find('-')) != std::string::npos;) text.erase(at, 1);
    try {
        core::from_hex(text, out);
    } catch (const core::Error &) {
        key_file::fail("--tenant is not the id of a tenant", "Your operator tells it: a UUID.");
    }
}

// REGION:64 hex digits, as aegis.import_key() says it, or the digits alone.
void read_recipient(std::string text, core::ByteSpan out) {
    text.erase(0, text.find(':') + 1);
    try {
        core::from_hex(text, out);
    } catch (const core::Error &) {
        key_file::fail("--for is not a public key",
                       "Your operator makes one with SELECT aegis.import_key().");
    }
}

// One line of 64 hex digits.
void read_root(core::Key32 *root) {
    key_file::SecretText content;
    key_file::read("-", &content);
    while (!content.text.empty() && content.text.back() <= ' ') content.text.pop_back();
    try {
        core::from_hex(content.text, root->span());
        core::check_random_key(root->view());
    } catch (const core::Error &) {
        key_file::fail("the standard input is not a random key of 64 hexadecimal digits",
                       "Draw 32 bytes from a generator of random numbers.");
    }
}

int make_client_key(const std::string &path) {
    core::Key32 key;
    uint8_t shown[core::kHpkeKeyBytes];
    core::random_secret(key.span());
    core::hpke_public_key(key, shown);
    key_file::SecretText content;
    content.text.resize(core::hex_size(core::kKeyBytes));
    core::to_hex(key.view(), content.text.data());
    content.text += '\n';
    key_file::create(path, content.text, key_file::Owner{});
    printf("%s\n", hex(shown).c_str());
    fprintf(stderr, "wrote %s: only the application reads it; the line above is public\n",
            path.c_str());
    return 0;
}

}  // namespace

void add_options(command_line::Command *command, Wish *wish) {
    const command_line::Option wanted =
        command->flag("--tenant-key", &wish->tenant_key,
                      "Make a tenant's own key instead, and print it sealed for a database");
    command
        ->flag("--client-key", &wish->client_key,
               "Make the key pair of an application instead, and print its public key")
        .excludes(wanted);
    command->option("--tenant", &wish->tenant, "With --tenant-key: id of the tenant").needs(wanted);
    command
        ->option("--for", &wish->recipient,
                 "With --tenant-key: public key of the database (aegis.import_key())")
        .needs(wanted);
    command
        ->flag("--stdin", &wish->from_input,
               "With --tenant-key: read the key, 64 hex digits, instead of drawing it")
        .needs(wanted);
}

int run(const std::string &path, const Wish &wish) {
    if (wish.client_key) return make_client_key(path);
    uint8_t tenant[16], recipient[core::kHpkeKeyBytes], check[core::kCheckValueBytes];
    read_tenant(wish.tenant, tenant);
    read_recipient(wish.recipient, recipient);
    core::Key32 root;
    if (wish.from_input)
        read_root(&root);
    else
        core::random_secret(root.span());
    core::BroughtKey sealed;
    try {
        core::seal_brought_key(root, tenant, recipient, &sealed);
    } catch (const core::Error &) {
        key_file::fail("--for is not a public key",
                       "Your operator makes one with SELECT aegis.import_key().");
    }
    core::root_check_value(root, tenant, check);
    key_file::SecretText content;
    content.text += "# key of tenant " + wish.tenant + ", check value " + hex(check) + "\n";
    const size_t at = content.text.size();
    content.text.resize(at + core::hex_size(core::kKeyBytes));
    core::to_hex(root.view(), content.text.data() + at);
    content.text += '\n';
    key_file::create(path, content.text, key_file::Owner{});
    printf("%s\n", core::format_brought_key(sealed).c_str());
    fprintf(stderr,
            "wrote %s; keep it: it proves what your stored values say\n"
            "check value %s, which the database must show when it took the key\n"
            "Send the line that begins with AT1. to your operator. Only that database opens it, "
            "once.\n",
            path.c_str(), hex(check).c_str());
    return 0;
}

}  // namespace aegis::keygen_tenant
