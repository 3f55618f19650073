// SPDX-License-Identifier: Apache-2.0
// Sheets of paper as PDF: rows of cells that flow down A4 pages, in embedded fonts. The same rows
// give the same bytes. docs/pdf.md.
#include <hpdf.h>

#include "pg/function.hpp"

namespace {

using namespace aegis;

// Of the package fonts-dejavu-core.
constexpr char kRegular[] = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";
constexpr char kBold[] = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf";
constexpr float kPointsPerMm = 72.0F / 25.4F;
constexpr float kWidth = 210.0F, kHeight = 297.0F, kMargin = 20.0F;  // A4, in mm
constexpr float kLeading = 1.35F;
constexpr float kFooterSize = 7.5F;
constexpr int kMostRows = 2000, kMostPages = 200, kMostCells = 12;
constexpr size_t kMostTextBytes = 16384;

struct Cell {
    char *text;
    float width;  // in mm
    float size;   // in points
    bool bold, right;
    char **lines;
    int count;
};

struct Sheet {
    HPDF_Doc document;
    HPDF_Font regular, bold;
    HPDF_Page *pages;
    int count;
    float y;  // in mm from the top, of the next row
};

// The library's memory is PostgreSQL's: an error frees it, and none is raised inside the library.
void *allocate(HPDF_UINT size) {
    if (!AllocSizeIsValid(size)) return nullptr;
    return palloc_extended(size, MCXT_ALLOC_NO_OOM);
}

void release(void *memory) {
    if (memory != nullptr) pfree(memory);
}

[[noreturn]] void fail(const Sheet &sheet) {
    unsigned long code = HPDF_GetError(sheet.document);
    ereport(ERROR, (errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION), errmsg("document cannot be made"),
                    errdetail("libharu says 0x%04lX.", code)));
    pg_unreachable();
}

void check(const Sheet &sheet, HPDF_STATUS status) {
    if (status != HPDF_OK) fail(sheet);
}

HPDF_Font load_font(const Sheet &sheet, const char *path) {
    const char *name = HPDF_LoadTTFontFromFile(sheet.document, path, HPDF_TRUE);
    if (name == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FILE), errmsg("font \"%s\" cannot be read", path),
                        errhint("Install the package fonts-dejavu-core.")));
    HPDF_Font font = HPDF_GetFont(sheet.document, name, "UTF-8");
    if (font == nullptr) fail(sheet);
    return font;
}

void add_page(Sheet *sheet) {
    if (sheet->count == kMostPages)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("document has more than %d pages", kMostPages)));
    HPDF_Page page = HPDF_AddPage(sheet->document);
    if (page == nullptr) fail(*sheet);
    check(*sheet, HPDF_Page_SetWidth(page, kWidth * kPointsPerMm));
    check(*sheet, HPDF_Page_SetHeight(page, kHeight * kPointsPerMm));
    sheet->pages[sheet->count++] = page;
    sheet->y = kMargin;
}

HPDF_Page current(const Sheet &sheet) {
    return sheet.pages[sheet.count - 1];
}

void use_font(const Sheet &sheet, HPDF_Page page, bool bold, float size) {
    check(sheet, HPDF_Page_SetFontAndSize(page, bold ? sheet.bold : sheet.regular, size));
}

float width_of(HPDF_Page page, const char *text) {
    return HPDF_Page_TextWidth(page, text) / kPointsPerMm;
}

// Breaks at blanks and line feeds; a word that is wider than its cell, anywhere between characters.
void wrap(const Sheet &sheet, Cell *cell) {
    HPDF_Page page = current(sheet);
    use_font(sheet, page, cell->bold, cell->size);
    size_t size = strlen(cell->text);
    cell->lines = static_cast<char **>(palloc(sizeof(char *) * (size + 1)));
    cell->count = 0;
    char *line = static_cast<char *>(palloc(size + 1));
    for (const char *at = cell->text;;) {
        size_t used = 0, fits = 0;         // bytes of the line, and up to its last blank
        const char *after_fits = nullptr;  // where the next line begins if it is cut there
        while (*at != '\0' && *at != '\n') {
            int length = pg_mblen(at);
            memcpy(line + used, at, length);
            line[used + length] = '\0';
            if (used > 0 && width_of(page, line) > cell->width) break;
            if (*at == ' ') {
                fits = used;
                after_fits = at + 1;
            }
            used += length;
            at += length;
        }
        bool ends = *at == '\0' || *at == '\n';
        if (!ends && after_fits != nullptr) {
            used = fits;
            at = after_fits;
        }
        line[used] = '\0';
        cell->lines[cell->count++] = pstrdup(line);
        if (ends && *at == '\0') break;
        if (ends) at++;
    }
}

void show(const Sheet &sheet, HPDF_Page page, float x, float y, const char *text) {
    check(sheet, HPDF_Page_BeginText(page));
    check(sheet, HPDF_Page_TextOut(page, x * kPointsPerMm, (kHeight - y) * kPointsPerMm, text));
    check(sheet, HPDF_Page_EndText(page));
}

void rule(const Sheet &sheet, HPDF_Page page, float y) {
    check(sheet, HPDF_Page_SetLineWidth(page, 0.4F));
    check(sheet, HPDF_Page_MoveTo(page, kMargin * kPointsPerMm, (kHeight - y) * kPointsPerMm));
    check(sheet,
          HPDF_Page_LineTo(page, (kWidth - kMargin) * kPointsPerMm, (kHeight - y) * kPointsPerMm));
    check(sheet, HPDF_Page_Stroke(page));
}

float line_height(const Cell &cell) {
    return cell.size * kLeading / kPointsPerMm;
}

void draw_row(Sheet *sheet, Cell *cells, int count, float gap, bool ruled) {
    float height = 0;
    for (int i = 0; i < count; i++) {
        wrap(*sheet, &cells[i]);
        height = Max(height, line_height(cells[i]) * static_cast<float>(cells[i].count));
    }
    if (height > kHeight - 2 * kMargin)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("a row of the document is longer than a page")));
    if (sheet->y + gap + height > kHeight - kMargin) add_page(sheet);
    if (sheet->y > kMargin) sheet->y += gap;
    HPDF_Page page = current(*sheet);
    if (ruled) rule(*sheet, page, sheet->y - 1.0F);
    float x = kMargin;
    for (int i = 0; i < count; i++) {
        use_font(*sheet, page, cells[i].bold, cells[i].size);
        float y = sheet->y + cells[i].size / kPointsPerMm;
        for (int n = 0; n < cells[i].count; n++, y += line_height(cells[i])) {
            const char *text = cells[i].lines[n];
            float shift = cells[i].right ? cells[i].width - width_of(page, text) : 0;
            if (*text != '\0') show(*sheet, page, x + shift, y, text);
        }
        x += cells[i].width;
    }
    sheet->y += height;
}

// What the document says -------------------------------------------------------------------------

[[noreturn]] void refuse(const char *what) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("document is not well formed"),
                    errdetail("%s", what), errhint("docs/pdf.md says what it holds.")));
    pg_unreachable();
}

JsonbValue *member(JsonbContainer *object, const char *name) {
    return getKeyJsonValueFromContainer(object, name, static_cast<int>(strlen(name)), nullptr);
}

float number(JsonbContainer *object, const char *name, float low, float high, float fallback) {
    JsonbValue *value = member(object, name);
    if (value == nullptr) return fallback;
    if (value->type != jbvNumeric) refuse("A measure is not a number.");
    float found = static_cast<float>(
        DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value->val.numeric))));
    if (!(found >= low && found <= high)) refuse("A measure is out of range.");
    return found;
}

bool truth(JsonbContainer *object, const char *name) {
    JsonbValue *value = member(object, name);
    return value != nullptr && value->type == jbvBool && value->val.boolean;
}

// Without control characters but line feeds; "" when it is missing or null.
char *text_of(JsonbContainer *object, const char *name) {
    JsonbValue *value = member(object, name);
    if (value == nullptr || value->type == jbvNull) return pstrdup("");
    if (value->type != jbvString) refuse("A text is not a string.");
    if (static_cast<size_t>(value->val.string.len) > kMostTextBytes) refuse("A text is too long.");
    char *text = pnstrdup(value->val.string.val, value->val.string.len);
    for (char *at = text; *at != '\0'; at++)
        if (*at != '\n' && (static_cast<unsigned char>(*at) < 0x20 || *at == 0x7f)) *at = ' ';
    return text;
}

JsonbContainer *object_of(JsonbValue *value, bool array) {
    if (value == nullptr || value->type != jbvBinary) refuse("A part is missing.");
    JsonbContainer *container = value->val.binary.data;
    if (array ? !JsonContainerIsArray(container) : !JsonContainerIsObject(container))
        refuse("A part is of another kind.");
    return container;
}

void add_row(Sheet *sheet, JsonbContainer *row) {
    Cell cells[kMostCells] = {};
    JsonbValue *list = member(row, "cells");
    int count = 0;
    // An empty array is no container of its own.
    if (list == nullptr || list->type != jbvBinary) refuse("A row has no cells.");
    JsonbContainer *array = object_of(list, true);
    float total = 0;
    for (uint32 i = 0; i < JsonContainerSize(array); i++, count++) {
        if (count == kMostCells) refuse("A row has more than twelve cells.");
        JsonbContainer *cell = object_of(getIthJsonbValueFromContainer(array, i), false);
        cells[count].text = text_of(cell, "text");
        cells[count].width = number(cell, "width", 1, kWidth, kWidth - 2 * kMargin);
        cells[count].size = number(cell, "size", 5, 40, 9.5F);
        cells[count].bold = truth(cell, "bold");
        cells[count].right = truth(cell, "right");
        total += cells[count].width;
    }
    if (total > kWidth - 2 * kMargin + 0.01F) refuse("The cells of a row are wider than a page.");
    draw_row(sheet, cells, count, number(row, "gap", 0, 200, 1), truth(row, "rule"));
}

void add_footers(Sheet *sheet, const char *footer) {
    for (int i = 0; i < sheet->count; i++) {
        HPDF_Page page = sheet->pages[i];
        use_font(*sheet, page, false, kFooterSize);
        show(*sheet, page, kMargin, kHeight - kMargin / 2, footer);
        const char *place = psprintf("%d / %d", i + 1, sheet->count);
        show(*sheet, page, kWidth - kMargin - width_of(page, place), kHeight - kMargin / 2, place);
    }
}

bytea *bytes_of(const Sheet &sheet) {
    check(sheet, HPDF_SaveToStream(sheet.document));
    HPDF_UINT32 size = HPDF_GetStreamSize(sheet.document);
    bytea *result = static_cast<bytea *>(palloc(VARHDRSZ + size));
    HPDF_UINT32 read = size;
    HPDF_STATUS status =
        HPDF_ReadFromStream(sheet.document, reinterpret_cast<HPDF_BYTE *>(VARDATA(result)), &read);
    if ((status != HPDF_OK && status != HPDF_STREAM_EOF) || read != size) fail(sheet);
    SET_VARSIZE(result, VARHDRSZ + size);
    return result;
}

bytea *render(HPDF_Doc empty, JsonbContainer *document) {
    Sheet sheet{};
    sheet.document = empty;
    check(sheet, HPDF_SetCompressionMode(sheet.document, HPDF_COMP_ALL));
    check(sheet, HPDF_UseUTFEncodings(sheet.document));
    check(sheet, HPDF_SetCurrentEncoder(sheet.document, "UTF-8"));
    check(sheet, HPDF_SetInfoAttr(sheet.document, HPDF_INFO_TITLE, text_of(document, "title")));
    sheet.regular = load_font(sheet, kRegular);
    sheet.bold = load_font(sheet, kBold);
    sheet.pages = static_cast<HPDF_Page *>(palloc(sizeof(HPDF_Page) * kMostPages));
    add_page(&sheet);
    JsonbContainer *rows = object_of(member(document, "rows"), true);
    if (JsonContainerSize(rows) > kMostRows) refuse("It has more than 2000 rows.");
    for (uint32 i = 0; i < JsonContainerSize(rows); i++) {
        CHECK_FOR_INTERRUPTS();
        add_row(&sheet, object_of(getIthJsonbValueFromContainer(rows, i), false));
    }
    add_footers(&sheet, text_of(document, "footer"));
    return bytes_of(sheet);
}

}  // namespace

// (document jsonb) → bytea
AEGIS_FUNCTION(aegis_pdf) {
    Jsonb *document = PG_GETARG_JSONB_P(0);
    if (!JB_ROOT_IS_OBJECT(document)) refuse("It is not an object.");
    MemoryContext own =
        AllocSetContextCreate(CurrentMemoryContext, "aegis pdf", ALLOCSET_DEFAULT_SIZES);
    MemoryContext before = MemoryContextSwitchTo(own);
    HPDF_Doc empty = HPDF_NewEx(nullptr, allocate, release, 0, nullptr);
    if (empty == nullptr) ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
    bytea *made = nullptr;
    // It holds the files of its fonts open, which no memory context closes.
    PG_TRY();
    { made = render(empty, &document->root); }
    PG_FINALLY();
    { HPDF_Free(empty); }
    PG_END_TRY();
    MemoryContextSwitchTo(before);
    bytea *result = static_cast<bytea *>(palloc(VARSIZE(made)));
    memcpy(result, made, VARSIZE(made));
    MemoryContextDelete(own);
    PG_RETURN_BYTEA_P(result);
}
