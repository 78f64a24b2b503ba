/*
 * docs/LAYOUT.md against shm/layout.h: every field of every struct is in the table with its offset and
 * size, and the table has no others. Also the arithmetic of regions, and the check of peers' offsets.
 * With --print it writes the rows.
 */
#include "shm/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ranks.h"

/* clang-format off */
/* As many bytes as there are. */
#define REST(type, field)                                                                                    \
    {                                                                                                        \
        #type, #field, offsetof(type, field), 0                                                              \
    }
#define FIELD(type, field)                                                                         \
    {                                                                                              \
        #type, #field, offsetof(type, field), sizeof(((type *)0)->field)                           \
    }

/* clang-format on */
static const struct row {
    const char *type, *field;
    size_t offset, bytes;
} rows[] = {
    FIELD(mst_signal, word),
    FIELD(mst_signal, sleepers),
    FIELD(mst_arrival, word),
    FIELD(mst_arrival, reserved),
    FIELD(mst_arrival, request),
    FIELD(mst_arrival, payload),
    FIELD(mst_lane_lines, arrivals),
    FIELD(mst_lane_lines, sleepers),
    FIELD(mst_call_record, operation),
    FIELD(mst_call_record, count),
    FIELD(mst_call_record, in_offset),
    FIELD(mst_call_record, out_offset),
    FIELD(mst_call_record, collective),
    FIELD(mst_call_record, dtype),
    FIELD(mst_call_record, op),
    FIELD(mst_call_record, root),
    FIELD(mst_call_record, reserved),
    FIELD(mst_started_lines, lane),
    FIELD(mst_started_lines, calls),
    FIELD(mst_split_record, color),
    FIELD(mst_split_record, key),
    FIELD(mst_split_record, status),
    FIELD(mst_split_record, cell),
    FIELD(mst_split_record, membership),
    FIELD(mst_split_record, staging_offset),
    FIELD(mst_split_record, operation),
    FIELD(mst_split_record, reserved),
    FIELD(mst_regroup_record, share),
    FIELD(mst_regroup_record, roll_offset),
    FIELD(mst_regroup_record, grows),
    FIELD(mst_regroup_record, reserved),
    FIELD(mst_regroup_record, reserved_too),
    FIELD(mst_roll, size),
    FIELD(mst_roll, spin_ns),
    FIELD(mst_roll, yield_ns),
    FIELD(mst_roll, reserved),
    FIELD(mst_roll_line, seat),
    FIELD(mst_roll_line, cell),
    FIELD(mst_roll_line, membership),
    FIELD(mst_roll_line, staging_offset),
    FIELD(mst_doing, kind),
    FIELD(mst_doing, dtype),
    FIELD(mst_doing, op),
    FIELD(mst_doing, peer),
    FIELD(mst_doing, count),
    FIELD(mst_doing, operation),
    FIELD(mst_activity, number),
    FIELD(mst_activity, entered_ns),
    FIELD(mst_activity, doing),
    FIELD(mst_activity, reserved),
    FIELD(mst_record, stamp),
    FIELD(mst_record, what),
    FIELD(mst_record, number),
    FIELD(mst_record, group),
    FIELD(mst_record, count),
    FIELD(mst_record, entered_ns),
    FIELD(mst_record, arrived_ns),
    FIELD(mst_record, done_ns),
    FIELD(mst_cell, membership),
    FIELD(mst_cell, poison),
    FIELD(mst_cell, channels),
    FIELD(mst_cell, staging_offset),
    FIELD(mst_cell, regroups),
    FIELD(mst_cell, decided),
    FIELD(mst_cell, steps),
    FIELD(mst_cell, splits),
    FIELD(mst_cell, calls),
    FIELD(mst_cell, bell),
    FIELD(mst_cell, reason_bytes),
    FIELD(mst_cell, reason),
    FIELD(mst_cell, started),
    FIELD(mst_cell, regroup_records),
    FIELD(mst_cell, activities),
    FIELD(mst_cell, group),
    FIELD(mst_cell, group_rank),
    FIELD(mst_cell, group_size),
    FIELD(mst_cell, pieces_rung),
    FIELD(mst_cell, pieces_sleepers),
    FIELD(mst_cell, pieces),
    FIELD(mst_rank_entry, state),
    FIELD(mst_rank_entry, pid),
    FIELD(mst_rank_entry, process_start),
    FIELD(mst_rank_entry, ending),
    FIELD(mst_rank_entry, beacon),
    FIELD(mst_rank_entry, gone),
    FIELD(mst_rank_entry, process_identity),
    FIELD(mst_rank_entry, process_namespace),
    FIELD(mst_rank_entry, process_image),
    FIELD(mst_rank_entry, rank),
    FIELD(mst_rank_entry, successor),
    FIELD(mst_rank_entry, admission),
    FIELD(mst_rank_entry, claimed),
    FIELD(mst_rank_entry, committing),
    FIELD(mst_rank_entry, cpus),
    FIELD(mst_rank_entry, holders),
    FIELD(mst_rank_entry, episode),
    FIELD(mst_rank_entry, verdict),
    FIELD(mst_rank_entry, checks),
    FIELD(mst_rank_entry, awaited),
    FIELD(mst_rank_entry, doing),
    FIELD(mst_rank_entry, circle),
    FIELD(mst_header, ready),
    FIELD(mst_header, fingerprint),
    FIELD(mst_header, version),
    FIELD(mst_header, size),
    FIELD(mst_header, arena_bytes),
    FIELD(mst_header, region_bytes),
    FIELD(mst_header, staging_bytes),
    FIELD(mst_header, nonce),
    FIELD(mst_header, launcher_pid),
    FIELD(mst_header, named),
    FIELD(mst_header, launcher_start),
    FIELD(mst_header, seats),
    FIELD(mst_header, reserved),
    FIELD(mst_header, arrivals),
    FIELD(mst_header, rendezvous),
    FIELD(mst_header, missing_rank),
    FIELD(mst_header, endings),
    FIELD(mst_header, name_remover),
    FIELD(mst_channel, head),
    FIELD(mst_channel, posted),
    FIELD(mst_channel, wanted_at),
    FIELD(mst_channel, wanted_bytes),
    FIELD(mst_channel, slots),
    REST(mst_channel, ring),
    FIELD(mst_entry, stamp),
    FIELD(mst_entry, count),
    FIELD(mst_entry, taken),
};
#define ROWS (sizeof rows / sizeof rows[0])

static void format_row(const struct row *row, char *text, size_t bytes)
{
    snprintf(text, bytes, "| `%s` | `%s` | %zu | %zu |\n", row->type, row->field, row->offset, row->bytes);
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

START_TEST(test_the_document_has_these_rows_and_no_others)
{
    FILE *document = open_source("docs/LAYOUT.md");
    char line[256], wanted[256];
    size_t at = 0;

    while (fgets(line, sizeof line, document)) {
        if (strncmp(line, "| `", 3) != 0)
            continue;
        ck_assert_msg(at < ROWS, "a row too many: %s", line);
        format_row(&rows[at++], wanted, sizeof wanted);
        ck_assert_str_eq(line, wanted);
    }
    ck_assert_uint_eq(at, ROWS);
    fclose(document);
}
END_TEST

/* The header's own text: as many fields as rows, so that a new field cannot be forgotten here. */
START_TEST(test_every_field_has_a_row)
{
    FILE *header = open_source("shm/layout.h");
    char line[256], type[64] = "";
    size_t fields = 0;

    while (fgets(line, sizeof line, header)) {
        if (sscanf(line, "typedef struct %63s", type) == 1 && strcmp(type, "mst_geometry") != 0)
            continue;
        if (line[0] == '}')
            type[0] = '\0';
        if (type[0] && strcmp(type, "mst_geometry") != 0 && strstr(line, ";") && line[4] != '/' &&
            line[5] != '*')
            fields++;
    }
    ck_assert_uint_eq(fields, ROWS);
    fclose(header);
}
END_TEST

START_TEST(test_regions_do_not_overlap)
{
    for (uint32_t size = 1; size <= MST_RANKS_MAX; size = size * 2 + 1) {
        mst_geometry geometry = {
            NULL, mst_layout_arena_bytes(size, MST_REGION_BYTES_MIN), MST_REGION_BYTES_MIN, 65536, size, size
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
                              2 };
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

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--print") == 0) {
        char text[256];

        for (size_t i = 0; i < ROWS; i++) {
            format_row(&rows[i], text, sizeof text);
            fputs(text, stdout);
        }
        return 0;
    }
    Suite *suite = suite_create("layout");
    TCase *tests = tcase_create("layout");

    tcase_add_test(tests, test_the_document_has_these_rows_and_no_others);
    tcase_add_test(tests, test_every_field_has_a_row);
    tcase_add_test(tests, test_regions_do_not_overlap);
    tcase_add_test(tests, test_offsets_of_peers_are_checked);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
