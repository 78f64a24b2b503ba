/*
 * Runs one test body in n ranks, as processes and as threads on one mapping, and fails the test when
 * any rank fails, hangs (Check's timeout) or leaves something behind: a name in /dev/shm, a
 * descriptor, a thread, a child process, a mapping of an arena.
 *
 * A body returns 0 when all is well. It checks with RANK_CHECK and RANK_OK, which print what failed,
 * in which rank, and return 1: an assertion of Check's would be lost in a forked rank.
 */
#ifndef TEST_RANKS_H
#define TEST_RANKS_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#include "muster/muster.h"

typedef enum rank_mode { RANKS_AS_PROCESSES, RANKS_AS_THREADS } rank_mode;

/* Defaults: no timeouts, default sizes. */
typedef struct rank_options {
    int size;
    rank_mode mode;
    size_t staging_bytes;
    size_t arena_bytes;
    double op_timeout_s;
    int restarts; /* above 0: failed ranks are started again, that often */
} rank_options;

/* Runs and expects success. */
void run_ranks(int size, rank_mode mode, muster_rank_fn body, void *arg);
void run_ranks_with(rank_options options, muster_rank_fn body, void *arg);

/* Runs for 1, 2, 3, 4, 5, 7, 8 ranks in both modes, with default staging and with tiny staging, so
 * that small messages already take many rounds. */
void run_all_sizes(muster_rank_fn body, void *arg);

/* Whether ranks are by the library's own backend, in shared memory, and may be processes; with
 * TEST_BACKEND=threads (elsewhere.h) they are not, and what runs them as processes runs nothing. */
bool on_one_host(void);

/* Whether, of two ranks that disagree, each is told of the other; by threads all are told of the same one. */
bool tells_of_the_other(void);

/* Runs processes of which some are meant to fail; the caller looks at the terminations. */
void run_failing_ranks(rank_options options, muster_rank_fn body, void *arg, muster_report *report);

/* Waits for a fact, such as what another rank has done. It has no end of its own: Check's deadline is one. */
#define AWAIT(fact)                                                                                          \
    do {                                                                                                     \
    } while (!(fact) && (pass_time_ms(1), true))

/* For what time does: ranks that are slow or stopped, ends at random moments. No outcome depends on how long
 * it is, and nothing is expected to have happened meanwhile. */
void pass_time_ms(double ms);

/* Whether a process is stopped by a signal. */
bool is_stopped(pid_t pid);

/* An interrupt function that never interrupts, and counts in the _Atomic int `arg` how often it is asked. A
 * rank is asked only when it sleeps in a call of the group, so it has told the others that it has come. */
bool count_looks(void *arg);

/* All ranks call this: a copy of the group with a limit, and a group that `make` makes of it within that
 * limit. *limit_ns is doubled until all ranks are in time. */
muster_status make_within(muster_group *group, int64_t *limit_ns,
                          muster_status (*make)(muster_group *of, muster_group **made), muster_group **of,
                          muster_group **made);

/* An enumerator MST_RANK_...: how far whoever sits in that seat of the group's arena has come, or gone. */
uint32_t state_of_seat(const muster_group *group, uint32_t seat);

/* Whether rank 0, 1, ... of the world has made known that it waits long (shm/death/deadlock.h). */
bool has_waited_long(const muster_group *group, uint32_t seat);

/* Waits until those ranks of the world, which all wait long, have looked so often that they would have found
 * each other in a cycle, if there were one. Where a rank is never alone (ThreadSanitizer) none looks. */
void await_checks(const muster_group *group, uint32_t first_seat, uint32_t seats);

/* Whether that member of the group, of whatever backend, sleeps in a send or a receive. */
bool is_asleep_in_message(const muster_group *group, int rank);

/* Memory that all ranks of a run share, zeroed; for what ranks want to tell the test. */
void *shared_page(size_t bytes);
void shared_page_free(void *page, size_t bytes);

/* A name for an arena that no other test, now or elsewhere, uses. */
void name_of_test(char *name, size_t bytes, const char *what);

/* Whether this build runs under ThreadSanitizer: processes show it nothing, so tests may do less. */
bool under_thread_sanitizer(void);
bool under_address_sanitizer(void);

int rank_failed(const char *file, int line, const muster_group *group, const char *what);

#define RANK_CHECK(group, condition)                                                                         \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            return rank_failed(__FILE__, __LINE__, group, #condition);                                       \
    } while (0)

#define RANK_OK(group, call) RANK_CHECK(group, (call) == MUSTER_OK)

/* How many names in the directory contain that: "" counts all, but those that begin with a dot. */
int count_entries(const char *path, const char *containing);

/* In a rank: the descriptor of its job's arena. */
int arena_of_job(void);

/* A main() for a test program: runs the suite, each test in a fork with a deadline. */
int run_suite(Suite *suite);

#define TEST_TIMEOUT_S 240

#endif
