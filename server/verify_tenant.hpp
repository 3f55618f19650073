// SPDX-License-Identifier: Apache-2.0
// aegis-verify tenant: an exported tenant, checked on the machine of whoever takes it.
// docs/aegis-verify.md.
#pragma once

#include <string>

namespace aegis::verify_tool {

struct TenantOptions {
    std::string file, tenant, chain;
    bool as_json = false;
};

int check_tenant(const TenantOptions &options);

}  // namespace aegis::verify_tool
