/*
 * docs/LAYOUT.md is what the list in shm/base/layout_fields.h says: with --print this program writes the
 * tables, and scripts/layout puts them into the document; the test compares. Also: no part of a struct is
 * outside the list, the arithmetic of regions, and the check of peers' offsets. That each change of the list
 * is another fingerprint is tests/tree/test_layout_variants.sh.
 */
#include "shm/base/layout.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ranks.h"

#define TABLES_BYTES 32768
#define BEGINS "<!-- scripts/layout writes from here -->\n"
#define ENDS "<!-- scripts/layout writes up to here -->\n"

/* All tables of the document, as text. */
typedef struct tables {
    char text[TABLES_BYTES];
    size_t bytes;
} tables;

__attribute__((format(printf, 2, 3))) static void add(tables *tables, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int written = vsnprintf(tables->text + tables->bytes, TABLES_BYTES - tables->bytes, format, arguments);
    va_end(arguments);
    tables->bytes += (size_t)written;
    if (tables->bytes >= TABLES_BYTES)
        abort();
}

static void add_areas(tables *tables)
{
    add(tables, "| from | to | what |\n|---|---|---|\n");
    add(tables, "| 0 | %d | header (`mst_header`) |\n", MST_ENTRIES_OFFSET);
    add(tables, "| %d | %d + %zu n, rounded up to %d | one `mst_rank_entry` per seat |\n", MST_ENTRIES_OFFSET,
        MST_ENTRIES_OFFSET, sizeof(mst_rank_entry), MST_PAGE);
    add(tables, "| then | + %zu n | a ring of %d `mst_record` per seat |\n", MST_RECORDS * sizeof(mst_record),
        MST_RECORDS);
    add(tables, "| then | + %zu n | %d rows of one `mst_cell` per seat |\n", MST_CELLS_MAX * sizeof(mst_cell),
        MST_CELLS_MAX);
    add(tables, "| then | + %d n | %d rows of two small slots of staging per seat, of %d bytes each |\n",
        MST_CELLS_MAX * 2 * MST_SMALL_BYTES, MST_CELLS_MAX, MST_SMALL_BYTES);
    add(tables, "| then, for each seat | + `region_bytes` | the heap of whoever sits in it |\n");
}

static void add_constant(void *context, const mst_layout_row *row)
{
    if (row->kind == MST_LAYOUT_CONSTANT)
        add(context, "| `%s` | %llu |\n", row->name, (unsigned long long)row->value);
}

static void add_struct(void *context, const mst_layout_row *row)
{
    if (row->kind == MST_LAYOUT_STRUCT)
        add(context, "| `%s` | %llu |\n", row->name, (unsigned long long)row->bytes);
}

static void add_field(void *context, const mst_layout_row *row)
{
    if (row->kind == MST_LAYOUT_FIELD)
        add(context, "| `%s` | `%s` | `%s` | %llu | %llu |\n", row->structure, row->name, row->type,
            (unsigned long long)row->value, (unsigned long long)row->bytes);
}

static void make_tables(tables *tables)
{
    tables->bytes = 0;
    add_areas(tables);
    add(tables, "\n| constant | value |\n|---|---|\n");
    mst_layout_tell(add_constant, tables);
    add(tables, "\n| struct | bytes |\n|---|---|\n");
    mst_layout_tell(add_struct, tables);
    add(tables, "\n| struct | field | type | offset | bytes |\n|---|---|---|---|---|\n");
    mst_layout_tell(add_field, tables);
}

static FILE *open_source(const char *path)
{
    const char *source = getenv("TEST_SOURCE");
    char whole[1024];

    snprintf(whole, sizeof whole, "%s/%s", source ? source : ".", path);
    FILE *file = fopen(whole, "re");
    ck_assert_msg(file != NULL, "%s cannot be read; set TEST_SOURCE", whole);
    return file;
}

START_TEST(test_the_document_is_what_the_list_says)
{
    static tables wanted;
    FILE *document = open_source("docs/LAYOUT.md");
    char line[256];
    const char *at = wanted.text;
    bool inside = false;

    make_tables(&wanted);
    while (fgets(line, sizeof line, document)) {
        if (strcmp(line, ENDS) == 0)
            break;
        if (inside) {
            size_t bytes = strcspn(at, "\n") + (*at != '\0');

            ck_assert_msg(strlen(line) == bytes && memcmp(line, at, bytes) == 0,
                          "docs/LAYOUT.md has %s and the list says %.*s Run scripts/layout.", line,
                          (int)bytes, at);
            at += bytes;
        }
        inside |= strcmp(line, BEGINS) == 0;
    }
    fclose(document);
    ck_assert(inside);
    ck_assert_msg(*at == '\0', "docs/LAYOUT.md ends before %.100s", at);
}
END_TEST

/* Where the struct before ended, and what is in it beside fields. */
typedef struct tiling {
    const char *structure;
    uint64_t end, bytes;
    unsigned fields;
} tiling;

/* Fields follow each other, with less than a line between them: what aligns the next. */
static void check_tile(void *context, const mst_layout_row *row)
{
    tiling *tiling = context;

    if (row->kind == MST_LAYOUT_CONSTANT)
        return;
    if (row->kind == MST_LAYOUT_STRUCT) {
        ck_assert_msg(tiling->bytes - tiling->end < MST_LINE, "%s has bytes in no field", tiling->structure);
        tiling->structure = row->name;
        tiling->end = 0;
        tiling->bytes = row->bytes;
        return;
    }
    ck_assert_str_eq(row->structure, tiling->structure);
    ck_assert_msg(row->value >= tiling->end && row->value - tiling->end < MST_LINE,
                  "%s: bytes before %s are in no field", row->structure, row->name);
    tiling->end = row->value + row->bytes;
    ck_assert_uint_le(tiling->end, tiling->bytes);
    tiling->fields++;
}

START_TEST(test_fields_are_all_that_structs_have)
{
    tiling tiling = { .structure = "" };

    mst_layout_tell(check_tile, &tiling);
    ck_assert_uint_lt(tiling.bytes - tiling.end, MST_LINE);
    ck_assert_uint_gt(tiling.fields, 100);
}
END_TEST

START_TEST(test_regions_do_not_overlap)
{
    for (uint32_t size = 1; size <= MST_RANKS_MAX; size = size * 2 + 1) {
        mst_geometry geometry = {
            NULL, mst_layout_arena_bytes(size, MST_REGION_BYTES_MIN), MST_REGION_BYTES_MIN, 65536, size, size,
            0
        };

        ck_assert_uint_ge(mst_layout_cell_offset(&geometry, 0, 0),
                          mst_layout_records_offset(size, size - 1) + MST_RECORDS * sizeof(mst_record));
        ck_assert_uint_ge(mst_layout_records_offset(size, 0),
                          MST_ENTRIES_OFFSET + size * sizeof(mst_rank_entry));
        ck_assert_uint_eq(mst_layout_cell_offset(&geometry, 0, MST_CELLS_MAX),
                          mst_layout_slots_offset(&geometry, 0, 0));
        ck_assert_uint_eq(mst_layout_slots_offset(&geometry, 0, MST_CELLS_MAX),
                          mst_layout_heap_begin(&geometry, 0));
        for (uint32_t rank = 0; rank < size; rank++) {
            uint64_t begin = mst_layout_heap_begin(&geometry, rank),
                     end = mst_layout_heap_end(&geometry, rank);

            ck_assert_uint_eq(mst_layout_cell_offset(&geometry, rank, 1),
                              mst_layout_cell_offset(&geometry, 0, 1) + rank * sizeof(mst_cell));
            ck_assert_uint_eq(mst_layout_slots_offset(&geometry, rank, 1),
                              mst_layout_slots_offset(&geometry, 0, 1) + rank * 2 * MST_SMALL_BYTES);
            ck_assert_uint_eq(end, rank + 1 < size ? mst_layout_heap_begin(&geometry, rank + 1)
                                                   : geometry.arena_bytes);
            ck_assert_uint_eq(begin % MST_PAGE, 0);
        }
    }
}
END_TEST

START_TEST(test_offsets_of_peers_are_checked)
{
    mst_geometry geometry = { (unsigned char *)4096,
                              mst_layout_arena_bytes(2, MST_REGION_BYTES_MIN),
                              MST_REGION_BYTES_MIN,
                              65536,
                              2,
                              2,
                              0 };
    uint64_t begin = mst_layout_heap_begin(&geometry, 1), end = mst_layout_heap_end(&geometry, 1);

    ck_assert_ptr_nonnull(mst_layout_heap_at(&geometry, 1, begin, end - begin));
    ck_assert_ptr_null(mst_layout_heap_at(&geometry, 1, begin, end - begin + 1));
    ck_assert_ptr_null(mst_layout_heap_at(&geometry, 1, begin - 1, 1));
    ck_assert_ptr_null(mst_layout_heap_at(&geometry, 1, end, 1));
    ck_assert_ptr_null(mst_layout_heap_at(&geometry, 1, UINT64_MAX, 1));
    ck_assert_ptr_null(mst_layout_heap_at(&geometry, 1, begin, UINT64_MAX));
    ck_assert_ptr_null(mst_layout_heap_at(&geometry, 0, begin, 1)); /* another rank's heap */
    ck_assert_ptr_null(mst_layout_heap_at(&geometry, 2, end, 0));
}
END_TEST

/* A process that has mapped the beginning of each heap only. */
START_TEST(test_heaps_that_are_mapped_in_part)
{
    const uint64_t region = 3 * MST_REGION_BYTES_MIN, gap = 2 * MST_REGION_BYTES_MIN;
    mst_geometry geometry = {
        (unsigned char *)4096, mst_layout_arena_bytes(3, region), region, 65536, 3, 3, gap
    };
    uint64_t mapped = 0;

    ck_assert_uint_eq(mst_layout_mapped_bytes(&geometry), mst_layout_arena_bytes(3, MST_REGION_BYTES_MIN));
    for (uint32_t seat = 0; seat < 3; seat++) {
        uint64_t begin = mst_layout_heap_begin(&geometry, seat);
        unsigned char *at = mst_layout_heap_at(&geometry, seat, begin, MST_REGION_BYTES_MIN);

        ck_assert_ptr_eq(at, geometry.base + mst_layout_heap_begin(&geometry, 0) + mapped);
        ck_assert_ptr_null(mst_layout_heap_at(&geometry, seat, begin, MST_REGION_BYTES_MIN + 1));
        ck_assert_ptr_null(mst_layout_heap_at(&geometry, seat, begin + MST_REGION_BYTES_MIN, 1));
        ck_assert_uint_eq(mst_layout_own_offset(&geometry, seat, at + 77), begin + 77);
        for (uint32_t other = 0; other < 3; other++) { /* another one's address is not taken for ours */
            uint64_t offset = mst_layout_own_offset(&geometry, other, at);

            ck_assert(other == seat || !mst_layout_heap_at(&geometry, other, offset, 1));
        }
        mapped += MST_REGION_BYTES_MIN;
    }
    for (uint32_t seat = 0; seat < 3; seat++) { /* nor what lies behind all of it */
        const unsigned char *behind = geometry.base + mst_layout_mapped_bytes(&geometry);
        uint64_t offset = mst_layout_own_offset(&geometry, seat, behind);

        ck_assert_ptr_null(mst_layout_heap_at(&geometry, seat, offset, 1));
    }
    ck_assert_uint_eq(mst_layout_own_offset(&geometry, 1, geometry.base - 1), 0);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--print") == 0) {
        static tables tables;

        make_tables(&tables);
        return fputs(tables.text, stdout) < 0;
    }
    Suite *suite = suite_create("layout");
    TCase *tests = tcase_create("layout");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_the_document_is_what_the_list_says);
    tcase_add_test(tests, test_fields_are_all_that_structs_have);
    tcase_add_test(tests, test_regions_do_not_overlap);
    tcase_add_test(tests, test_offsets_of_peers_are_checked);
    tcase_add_test(tests, test_heaps_that_are_mapped_in_part);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
