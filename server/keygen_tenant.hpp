// SPDX-License-Identifier: Apache-2.0
// aegis-keygen --tenant-key: a tenant's own root key, made on the tenant's machine and sealed for
// one database. docs/key_adopt.md. --client-key: the key pair of an application. docs/client.md.
#pragma once

#include <string>

#include "command_line.hpp"

namespace aegis::keygen_tenant {

struct Wish {
    bool tenant_key = false, client_key = false, from_input = false;
    std::string tenant, recipient;
    bool wanted() const { return tenant_key || client_key; }
};

void add_options(command_line::Command *command, Wish *wish);
// Writes the key to the file and the sealed or public key to the standard output; the exit status.
int run(const std::string &path, const Wish &wish);

}  // namespace aegis::keygen_tenant
