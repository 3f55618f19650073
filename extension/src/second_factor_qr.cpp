// SPDX-License-Identifier: Apache-2.0
#include "second_factor.hpp"

#include <qrencode.h>

namespace aegis::second_factor {

namespace {

constexpr int kQuietZone = 4;  // modules; ISO/IEC 18004

}  // namespace

// One path of horizontal runs: small, sharp at every size, and nothing in it could run.
char *draw_qr(const char *text) {
    QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
    if (code == nullptr)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("address of the second factor cannot be drawn")));
    int width = code->width;
    // Copied first: memory of the library must not be held where an error may be raised.
    unsigned char *dark = static_cast<unsigned char *>(
        palloc_extended(static_cast<Size>(width) * width, MCXT_ALLOC_NO_OOM));
    if (dark != nullptr) memcpy(dark, code->data, static_cast<size_t>(width) * width);
    QRcode_free(code);
    if (dark == nullptr) ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));

    StringInfoData svg;
    initStringInfo(&svg);
    int side = width + 2 * kQuietZone;
    appendStringInfo(&svg,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                     "shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/>"
                     "<path d=\"",
                     side, side, side, side);
    for (int y = 0; y < width; y++)
        for (int x = 0; x < width;) {
            int from = x;
            while (x < width && (dark[y * width + x] & 1) != 0) x++;
            if (x > from)
                appendStringInfo(&svg, "M%d %dh%dv1h-%dz", from + kQuietZone, y + kQuietZone,
                                 x - from, x - from);
            else
                x++;
        }
    appendStringInfoString(&svg, "\"/></svg>");
    pfree(dark);
    return svg.data;
}

}  // namespace aegis::second_factor
