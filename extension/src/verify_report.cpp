// SPDX-License-Identifier: Apache-2.0
#include "verify_report.hpp"

#include "pg/function.hpp"

namespace aegis::verify {

namespace {

constexpr int64 kMostFindings = 1000;

struct Words {
    const char *name, *holds;
};
const Words words[kChecks] = {
    {"entries",
     "bodies match their leaves and columns; every sealed entry is there once, or was cut"},
    {"tenant logs", "roots follow from the entries, leaves have no gaps"},
    {"seals", "numbers have no gap, each seal follows from the last"},
    {"root log", "roots follow from the heads of the logs"},
    {"heads", "current heads are those of the newest seals"},
    {"trees", "the hashes that proofs are made of follow from the entries"},
    {"checkpoints", "roots follow from the root log, signatures are those of the key"},
    {"cuts", "leaves without entries were cut as entries of their logs say"}};

}  // namespace

void put(Report *report, const char *checked, const char *subject, const char *outcome, int64 items,
         const char *detail) {
    Datum values[5] = {CStringGetTextDatum(checked), CStringGetTextDatum(subject),
                       CStringGetTextDatum(outcome), Int64GetDatum(items),
                       CStringGetTextDatum(detail)};
    bool nulls[5] = {false, false, false, items < 0, false};
    tuplestore_putvalues(report->result->setResult, report->result->setDesc, values, nulls);
}

void finding(Report *report, Check check, const char *subject, const char *detail) {
    if (++report->findings[check] <= kMostFindings)
        put(report, words[check].name, subject, "finding", 1, detail);
}

void summarise(Report *report, const char *subject) {
    for (int i = 0; i < kChecks; i++) {
        if (report->findings[i] == 0)
            put(report, words[i].name, subject, "ok", report->items[i], words[i].holds);
        else
            put(report, words[i].name, subject, "finding", report->items[i],
                psprintf(INT64_FORMAT " findings", report->findings[i]));
    }
}

}  // namespace aegis::verify
