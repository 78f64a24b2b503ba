/*
 * A program whose muster.h is of another version than the library (test_versions.sh makes such headers): it
 * uses every struct that grows, in C and in C++, and finds what belongs there and nothing beyond its ends.
 * With LATER the header has a field `later` more in each; else the last two of each are missing.
 */
#include <fcntl.h>
#include <muster/muster.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE 3

#define EXPECT(truth)                                                                                        \
    do {                                                                                                     \
        if (!(truth)) {                                                                                      \
            fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #truth, muster_error_detail());                  \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

/* A struct, and what lies behind it. */
#define GUARDED(type)                                                                                        \
    struct {                                                                                                 \
        type it;                                                                                             \
        unsigned char behind[64];                                                                            \
    }
#define GUARD(guarded, init)                                                                                 \
    do {                                                                                                     \
        memset(&(guarded), 0xa5, sizeof(guarded));                                                           \
        (guarded).it = init;                                                                                 \
    } while (0)

static bool is_whole(const unsigned char *behind)
{
    for (int i = 0; i < 64; i++)
        if (behind[i] != 0xa5)
            return false;
    return true;
}

static int arena = -1;

static bool keep_arena(int fd, void *arg)
{
    (void)arg;
    arena = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return arena >= 0;
}

static void look(void)
{
    muster_inspection none = MUSTER_INSPECTION_INIT;
    GUARDED(muster_inspection) seen;
    bool found[SIZE] = { false };
    int members = 0;

    GUARD(seen, none);
    EXPECT(muster_inspect(arena, &seen.it) == MUSTER_OK);
    EXPECT(is_whole(seen.behind) && seen.it.struct_size == sizeof seen.it);
    EXPECT(seen.it.size == SIZE && seen.it.rank_count == SIZE && seen.it.call_count >= SIZE);
    for (int i = 0; i < SIZE; i++) {
        const muster_seen_rank *rank = seen.it.ranks[i];

        EXPECT(rank->struct_size != sizeof *rank);
        EXPECT(rank->rank == i && rank->pid == (int)getpid() && rank->attached && !rank->left);
    }
    for (int i = 0; i < seen.it.call_count; i++) {
        const muster_seen_call *call = seen.it.calls[i];

        EXPECT(call->struct_size != sizeof *call);
        EXPECT(call->world && call->group_size == SIZE && call->rank >= 0 && call->rank < SIZE);
        members += call->call_class == MUSTER_CALL_COLLECTIVE && !found[call->rank];
        found[call->rank] = true;
    }
    EXPECT(members == SIZE);
    muster_inspection_free(&seen.it);
    EXPECT(is_whole(seen.behind) && !seen.it.ranks && !seen.it.calls && seen.it.rank_count == 0);
    muster_inspection_free(&seen.it);
}

static void add(const muster_record *record, void *arg)
{
    int *sums = (int *)arg;

    EXPECT(record->struct_size != sizeof *record);
    EXPECT(record->rank >= 0 && record->rank < SIZE && record->group_size == SIZE);
    EXPECT(record->call_class == MUSTER_CALL_COLLECTIVE);
    *sums += strcmp(record->call, "all_sum") == 0 && record->count == 5 && record->dtype == MUSTER_INT32;
}

static void read_records(void)
{
    muster_records *records;
    int sums = 0;

    EXPECT(muster_records_open(arena, &records) == MUSTER_OK);
    EXPECT(muster_records_read(records, add, &sums, NULL) == MUSTER_OK);
    EXPECT(sums == SIZE);
    muster_records_close(records);
}

static int body(muster_group *world, void *arg)
{
    int numbers[5] = { 1, 2, 3, 4, 5 };

    (void)arg;
    EXPECT(muster_all_sum(numbers, numbers, 5, MUSTER_INT32, world) == MUSTER_OK && numbers[4] == 5 * SIZE);
    EXPECT(muster_barrier(world) == MUSTER_OK);
    if (muster_group_rank(world) == 0) {
        look();
        read_records();
    }
    EXPECT(muster_barrier(world) == MUSTER_OK);
    return 0;
}

static void launch(void)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report none = MUSTER_REPORT_INIT;
    GUARDED(muster_report) report;

    config.size = SIZE;
    config.threads = true;
    config.arena = keep_arena;
    GUARD(report, none);
    EXPECT(muster_launch(&config, body, NULL, &report.it) == MUSTER_OK);
    EXPECT(is_whole(report.behind) && report.it.struct_size == sizeof report.it);
    EXPECT(report.it.first_failed == -1 && report.it.exit_status == 0 && report.it.summary[0] == '\0');
    config.size = -1; /* nobody has failed, since nobody was started */
    report.it.first_failed = 7;
    EXPECT(muster_launch(&config, body, NULL, &report.it) == MUSTER_ERR_INVALID);
    EXPECT(is_whole(report.behind) && report.it.first_failed == -1);
#ifdef LATER
    config.later = 1;
    config.size = SIZE;
    EXPECT(muster_launch(&config, body, NULL, NULL) == MUSTER_ERR_INVALID);
    EXPECT(strstr(muster_error_detail(), "later version"));
#endif
}

static void attach(void)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *world = NULL;

    EXPECT(muster_attach(&config, &world) == MUSTER_OK);
    EXPECT(muster_group_size(world) == 1);
    EXPECT(muster_group_free(world) == MUSTER_OK);
#ifdef LATER
    world = NULL;
    config.later = 1;
    EXPECT(muster_attach(&config, &world) == MUSTER_ERR_INVALID && world == NULL);
    EXPECT(strstr(muster_error_detail(), "later version"));
#endif
}

static void look_at_thresholds(void)
{
    muster_tuning none = MUSTER_TUNING_INIT;
    muster_threshold nothing = MUSTER_THRESHOLD_INIT;
    GUARDED(muster_tuning) tuning;
    GUARDED(muster_threshold) threshold;

    GUARD(tuning, none);
    EXPECT(muster_tuning_get(&tuning.it) == MUSTER_OK);
    EXPECT(is_whole(tuning.behind) && tuning.it.struct_size == sizeof tuning.it && tuning.it.kind[0]);
    GUARD(threshold, nothing);
    EXPECT(muster_tuning_threshold(0, &threshold.it) == MUSTER_OK);
    EXPECT(is_whole(threshold.behind) && threshold.it.struct_size == sizeof threshold.it);
    EXPECT(threshold.it.name && threshold.it.used > 0);
}

int main(void)
{
    launch();
    attach();
    look_at_thresholds();
    return 0;
}
