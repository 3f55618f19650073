// SPDX-License-Identifier: Apache-2.0
// Demo mode: sample logins on the sign-in page. Refused in production. docs/demo.md.
#pragma once

namespace aegis::demo {

// FATAL when the server is to start with demo mode in production; the next start that is not
// refused has it recorded. Postmaster only, once the settings are there.
void check();

}  // namespace aegis::demo
