// SPDX-License-Identifier: Apache-2.0
// Raises and catches across the boundary of pg/guard.hpp on request of its regression test. Exists
// only in builds for tests, and no install script creates its functions.
#ifdef AEGIS_TESTING

#include <malloc.h>

#include <stdexcept>
#include <string>

#include "core/cbor.hpp"
#include "core/envelope.hpp"
#include "core/error.hpp"
#include "pg/function.hpp"

namespace aegis {
namespace {

int live_objects = 0;

struct Counted {
    Counted() { ++live_objects; }
    ~Counted() { --live_objects; }
    Counted(const Counted &) = delete;
    Counted &operator=(const Counted &) = delete;
};

enum Kind {
    kMalformed,
    kCannotOpen,
    kRuntime,
    kInt,
    kBadAlloc,
    kLongText,
    kFormat,
    kServer,
    kNone
};

int expected_state(int kind) {
    switch (kind) {
        case kMalformed:
            return ERRCODE_INVALID_TEXT_REPRESENTATION;
        case kCannotOpen:
            return AEGIS_ERRCODE_CANNOT_OPEN;
        case kBadAlloc:
            return ERRCODE_OUT_OF_MEMORY;
        case kServer:
            return ERRCODE_DIVISION_BY_ZERO;
        case kNone:
            return ERRCODE_SUCCESSFUL_COMPLETION;
        default:
            return ERRCODE_INTERNAL_ERROR;
    }
}

// Throws two frames deep, with objects in both that must be destroyed on the way.
void throw_kind(int kind, const volatile size_t &huge) {
    Counted in_callee;
    const std::string heap(200, 'x');
    switch (kind) {
        case kMalformed: {
            static const uint8_t indefinite[] = {0x9f, 0xff};
            core::CborReader(core::ByteView(indefinite)).skip();
            break;
        }
        case kCannotOpen: {
            const core::Xaes key{core::Key32()};
            uint8_t sealed[core::kXaesTagBytes] = {}, nonce[core::kXaesNonceBytes] = {};
            key.open(nonce, {}, sealed, {});
            break;
        }
        case kRuntime:
            throw std::runtime_error("thrown on request");
        case kInt:
            throw 42;
        case kBadAlloc: {
            const std::string impossible(huge, 'x');
            throw std::runtime_error(impossible.c_str());
        }
        case kLongText:
            throw std::runtime_error(std::string(1000, 'y'));
        case kFormat:
            throw std::runtime_error("100%s of %n");
        default:
            break;
    }
}

void cross(int kind) {
    const volatile size_t huge = SIZE_MAX / 4;
    pg::raise(pg::run([&] {
        Counted in_body;
        throw_kind(kind, huge);
    }));
    if (kind == kServer)  // an error of the server's own, raised in the shell after core is done
        DirectFunctionCall2(int4div, Int32GetDatum(1), Int32GetDatum(0));
}

// Crosses inside a subtransaction, as a PL/pgSQL exception block would. Returns the SQLSTATE.
int cross_and_catch(int kind) {
    const MemoryContext context = CurrentMemoryContext;
    const ResourceOwner owner = CurrentResourceOwner;
    volatile int state = ERRCODE_SUCCESSFUL_COMPLETION;
    BeginInternalSubTransaction(nullptr);
    MemoryContextSwitchTo(context);
    PG_TRY();
    {
        cross(kind);
        ReleaseCurrentSubTransaction();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        ErrorData *error = CopyErrorData();
        state = error->sqlerrcode;
        FreeErrorData(error);
        FlushErrorState();
        RollbackAndReleaseCurrentSubTransaction();
    }
    PG_END_TRY();
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    return state;
}

}  // namespace
}  // namespace aegis

using namespace aegis;

// aegis_probe_throw(kind int): the ERROR that the exception of this kind becomes, or nothing.
AEGIS_FUNCTION(aegis_probe_throw) {
    cross(PG_GETARG_INT32(0));
    PG_RETURN_VOID();
}

// aegis_probe_storm(iterations int): every kind in turn; the C++ objects that are left afterwards.
AEGIS_FUNCTION(aegis_probe_storm) {
    const int iterations = PG_GETARG_INT32(0);
    for (int i = 0; i < iterations; ++i) {
        CHECK_FOR_INTERRUPTS();
        const int kind = i % (kNone + 1);
        const int state = cross_and_catch(kind);
        if (state != expected_state(kind))
            ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                            errmsg("kind %d became SQLSTATE %s", kind, unpack_sql_state(state))));
    }
    PG_RETURN_INT32(live_objects);
}

// aegis_probe_memory(): bytes that this backend holds from malloc, and in the server's contexts.
AEGIS_FUNCTION(aegis_probe_memory) {
    const struct mallinfo2 heap = mallinfo2();
    PG_RETURN_INT64(static_cast<int64_t>(heap.uordblks + heap.hblkhd +
                                         MemoryContextMemAllocated(TopMemoryContext, true)));
}

#endif
