// SPDX-License-Identifier: Apache-2.0
// SQLSTATE class AG: the conditions a client must tell apart. docs/errors.md lists them.
#pragma once

#include "pg/postgres.hpp"

#define AEGIS_ERRCODE_NO_TENANT MAKE_SQLSTATE('A', 'G', '0', '0', '1')
#define AEGIS_ERRCODE_CONTEXT_REFUSED MAKE_SQLSTATE('A', 'G', '0', '0', '2')
#define AEGIS_ERRCODE_CANNOT_OPEN MAKE_SQLSTATE('A', 'G', '0', '0', '3')
#define AEGIS_ERRCODE_KEY_MISSING MAKE_SQLSTATE('A', 'G', '0', '0', '4')
#define AEGIS_ERRCODE_KEY_SHREDDED MAKE_SQLSTATE('A', 'G', '0', '0', '5')
#define AEGIS_ERRCODE_LEDGER_APPEND_ONLY MAKE_SQLSTATE('A', 'G', '0', '0', '6')
#define AEGIS_ERRCODE_NOT_CHARGED MAKE_SQLSTATE('A', 'G', '0', '0', '7')
#define AEGIS_ERRCODE_TENANT_UNKNOWN MAKE_SQLSTATE('A', 'G', '0', '0', '8')
#define AEGIS_ERRCODE_NOT_PROTECTED MAKE_SQLSTATE('A', 'G', '0', '0', '9')
#define AEGIS_ERRCODE_NOT_ALLOWED MAKE_SQLSTATE('A', 'G', '0', '1', '0')
#define AEGIS_ERRCODE_UNSEALED MAKE_SQLSTATE('A', 'G', '0', '1', '1')
#define AEGIS_ERRCODE_WRONG_REGION MAKE_SQLSTATE('A', 'G', '0', '1', '2')
#define AEGIS_ERRCODE_NOT_REVEALED MAKE_SQLSTATE('A', 'G', '0', '1', '3')
#define AEGIS_ERRCODE_KEY_CHECK MAKE_SQLSTATE('A', 'G', '0', '1', '4')
#define AEGIS_ERRCODE_EVENT_UNDECLARED MAKE_SQLSTATE('A', 'G', '0', '1', '5')
#define AEGIS_ERRCODE_SIGN_IN_FAILED MAKE_SQLSTATE('A', 'G', '0', '1', '6')
#define AEGIS_ERRCODE_SEALING_LAGS MAKE_SQLSTATE('A', 'G', '0', '1', '7')
#define AEGIS_ERRCODE_TENANT_MOVED MAKE_SQLSTATE('A', 'G', '0', '1', '8')
#define AEGIS_ERRCODE_QUOTA_EXCEEDED MAKE_SQLSTATE('A', 'G', '0', '1', '9')
#define AEGIS_ERRCODE_PAN_DETECTED MAKE_SQLSTATE('A', 'G', '0', '2', '0')
#define AEGIS_ERRCODE_STEP_UP MAKE_SQLSTATE('A', 'G', '0', '2', '1')
#define AEGIS_ERRCODE_ENTRY_CUT MAKE_SQLSTATE('A', 'G', '0', '2', '2')
