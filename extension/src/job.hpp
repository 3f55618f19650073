// SPDX-License-Identifier: Apache-2.0
// Long work is a row of aegis.job: a process of its own runs it step by step, each step in a
// transaction of its own, under a context that names the job's tenant and no other. docs/job.md.
#pragma once

#include "pg/postgres.hpp"

namespace aegis::job {

enum class Scope : uint8_t { system, tenant, either };

struct Job {  // one row, as a step sees it
    int64 id;
    bool has_tenant;
    pg_uuid_t tenant;
    int64 done;  // units finished by earlier steps
};

struct Progress {  // what a step did
    bool finished;
    int64 done;          // new total of finished units
    const char *result;  // JSON text for the row, or nullptr; lives in the step's memory
    int rest_millis;     // before the next step
};

struct Kind {
    const char *name;
    Scope scope;    // whether a job of this kind names a tenant
    Oid (*role)();  // whose rights a step has
    Progress (*step)(const Job &job);
    // In the transaction that notes a failure, as aegis_owner; nullptr: nothing to undo.
    void (*failed)(const Job &job);
    // The function that alone makes such a job; nullptr: aegis.create_job() does.
    const char *made_by;
};

// The kinds there are; nullptr for an unknown name.
const Kind *find_kind(const char *name);
// "a, b, c" for messages.
const char *kind_names();

// For the worker, in its transaction: starts the process for jobs when one is due and none runs.
void tend();
// For that process, outside a transaction: one step of the oldest job that is due, and how long to
// rest after it. False when none is.
bool run_next(int *rest_millis);

// For our own code, with an SPI connection and as aegis_owner: queues a job of a known kind.
int64 create(const char *kind, const pg_uuid_t *tenant);

}  // namespace aegis::job

extern "C" void aegis_job_main(Datum);
