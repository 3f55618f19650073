// SPDX-License-Identifier: Apache-2.0
#include "verify_progress.hpp"

#include "pg/function.hpp"
#include "region.hpp"

namespace aegis::verify_progress {

namespace {

Slot *mine = nullptr;
int64 current_job = 0;

void release() {
    if (mine != nullptr) mine->pid.store(0);
    mine = nullptr;
}

void on_exit(int, Datum) {
    release();
}

void on_transaction_end(XactEvent event, void *) {
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT) release();
}

void watch() {
    static bool watching = false;
    if (watching) return;
    before_shmem_exit(on_exit, 0);
    RegisterXactCallback(on_transaction_end, nullptr);
    watching = true;
}

const char *phase_name(uint32_t phase) {
    switch (phase) {
        case kEntries:
            return "entries";
        case kUnsealed:
            return "unsealed entries";
        case kTree:
            return "tree";
        case kCheckpoints:
            return "checkpoints";
        case kFields:
            return "encrypted fields";
        default:
            return "heads";
    }
}

}  // namespace

void set_job(int64 job) {
    current_job = job;
}

void begin(const pg_uuid_t *tenant, int64 total) {
    region::State *state = region::state();
    if (state == nullptr) return;
    release();
    watch();
    for (Slot &slot : state->verifications.all) {
        int32_t free = 0;
        if (!slot.pid.compare_exchange_strong(free, -1)) continue;
        mine = &slot;
        slot.database.store(MyDatabaseId);
        slot.phase.store(kEntries);
        uint64_t halves[2] = {};
        if (tenant != nullptr) memcpy(halves, tenant->data, UUID_LEN);
        slot.has_tenant.store(tenant != nullptr);
        slot.tenant[0].store(halves[0]);
        slot.tenant[1].store(halves[1]);
        slot.job.store(current_job);
        slot.done.store(0);
        slot.total.store(total);
        slot.started.store(GetCurrentTimestamp());
        slot.pid.store(MyProcPid);
        return;
    }
}

void expect(int64 total) {
    if (mine != nullptr) mine->total.store(Max(total, mine->done.load()));
}

void enter(Phase phase) {
    if (mine != nullptr) mine->phase.store(phase);
}

void advance(int64 done) {
    if (mine == nullptr) return;
    mine->done.store(done);
    // Entries that are not sealed yet were not expected.
    if (done > mine->total.load()) mine->total.store(done);
}

void end() {
    if (current_job == 0) release();
}

void survive_restart() {
    for (Slot &slot : region::state()->verifications.all) slot.pid.store(0);
}

}  // namespace aegis::verify_progress

AEGIS_FUNCTION(aegis_running_verifications) {
    using namespace aegis;
    using namespace aegis::verify_progress;
    InitMaterializedSRF(fcinfo, 0);
    ReturnSetInfo *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    region::State *state = region::state();
    for (int i = 0; state != nullptr && i < kSlots; i++) {
        Slot &slot = state->verifications.all[i];
        int32_t pid = slot.pid.load();
        if (pid <= 0 || slot.database.load() != MyDatabaseId) continue;
        pg_uuid_t tenant;
        uint64_t halves[2] = {slot.tenant[0].load(), slot.tenant[1].load()};
        memcpy(tenant.data, halves, UUID_LEN);
        int64 job = slot.job.load();
        Datum values[] = {
            Int32GetDatum(pid),
            UUIDPGetDatum(&tenant),
            CStringGetTextDatum(phase_name(slot.phase.load())),
            Int64GetDatum(slot.done.load()),
            Int64GetDatum(slot.total.load()),
            TimestampTzGetDatum(slot.started.load()),
            Int64GetDatum(job),
        };
        bool nulls[] = {false, !slot.has_tenant.load(), false, false, false, false, job == 0};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
    return static_cast<Datum>(0);
}
