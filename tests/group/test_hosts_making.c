/*
 * Groups over several hosts, which are pretended, of which a member has no memory for its part, or is stopped
 * while it makes it: the others learn that, at once or at the limit, and all have the group or none.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/hosts/group.h"
#include "tests/harness/ranks.h"

/* ---- memory of this process ---- */

enum { BLOCKS_MAX = 1000 };

static _Atomic int until_refused; /* allocations; 0: none is refused */
static bool stays_refused;        /* so are those after it, in place of that one */
static _Atomic bool was_refused;
static void *blocks[BLOCKS_MAX]; /* allocated in a call that makes a group, */
static int blocks_count;         /* so many, and those that were freed are NULL */
static bool counts;              /* this is such a call */

/* The linker lets the library's calls come here. */
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void __wrap_free(void *block);
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void __real_free(void *block);

static bool is_refused(void)
{
    if (!until_refused || (until_refused > 1 && until_refused--))
        return false;
    if (!stays_refused)
        until_refused = 0;
    was_refused = true;
    return true;
}

static void *count(void *block)
{
    if (counts && block && blocks_count < BLOCKS_MAX)
        blocks[blocks_count++] = block;
    return block;
}

static void forget(const void *block)
{
    for (int i = 0; i < blocks_count && block; i++)
        if (blocks[i] == block)
            blocks[i] = NULL;
}

static int count_left(void)
{
    int left = 0;

    for (int i = 0; i < blocks_count; i++)
        left += blocks[i] != NULL;
    return left;
}

void *__wrap_malloc(size_t bytes)
{
    return is_refused() ? NULL : count(__real_malloc(bytes));
}

void *__wrap_calloc(size_t number, size_t bytes)
{
    return is_refused() ? NULL : count(__real_calloc(number, bytes));
}

void *__wrap_realloc(void *block, size_t bytes)
{
    if (is_refused())
        return NULL;
    forget(block);
    return count(__real_realloc(block, bytes));
}

void __wrap_free(void *block)
{
    forget(block);
    __real_free(block);
}

/* ---- no memory ---- */

typedef enum kind { SPLIT, DUP, SUBSET, KINDS } kind;

static muster_status make(kind kind, muster_group *parent, muster_group **made)
{
    static const int pair[2] = { 2, 0 };

    if (kind == SPLIT)
        return muster_group_split(parent, 0, -1, made);
    return kind == DUP ? muster_group_dup(parent, made) : muster_group_subset(parent, pair, 2, made);
}

/* The least and the greatest of what the ranks give. */
static int agree(muster_group *world, int32_t own, int32_t *least, int32_t *greatest)
{
    int32_t both[2] = { own, -own };

    RANK_OK(world, muster_all_max(both, both, 2, MUSTER_INT32, world));
    *greatest = both[0];
    *least = -both[1];
    return 0;
}

/* Makes a group with one allocation refused to the victim, or all from that one on. *status: of it; *over:
 * none was refused. */
static int make_refused(muster_group *parent, kind kind, bool is_victim, int refused, muster_status *status,
                        muster_group **made)
{
    was_refused = false;
    until_refused = is_victim ? refused : 0;
    blocks_count = 0;
    counts = true;
    *status = make(kind, parent, made);
    until_refused = 0;
    counts = false;
    RANK_CHECK(parent,
               *status == MUSTER_OK || *status == MUSTER_ERR_NO_MEMORY || *status == MUSTER_ERR_NO_SPACE);
    RANK_CHECK(parent, (*status == MUSTER_OK) == (*made != NULL));
    return 0;
}

/* All make the group or none does; where the parent is broken in the last moment, one may have made what the
 * others have left. *over: there was nothing to refuse. */
static int make_one(muster_group *world, kind kind, int victim, int refused, bool *over)
{
    int rank = muster_group_rank(world);
    int32_t least, greatest, made_by_any;
    bool takes_part = kind != SUBSET || rank != 1;
    muster_group *parent, *made = NULL;
    muster_status status = MUSTER_OK;

    RANK_OK(world, muster_group_dup(world, &parent)); /* which frees what all have left since the last time */
    RANK_CHECK(world, blocks_count < BLOCKS_MAX && count_left() == 0);
    if (takes_part && make_refused(parent, kind, rank == victim, refused, &status, &made))
        return 1;
    if (agree(world, made != NULL, &least, &made_by_any) ||
        agree(world, (int32_t)muster_group_status(parent), &least, &greatest))
        return 1;
    RANK_CHECK(world, least == greatest && (least == MUSTER_OK || least == MUSTER_ERR_NO_MEMORY));
    RANK_CHECK(world, least != MUSTER_OK || !takes_part || (made != NULL) == made_by_any);
    if (made)
        status = muster_barrier(made);
    RANK_CHECK(world, status == MUSTER_OK || !made || least != MUSTER_OK);
    RANK_CHECK(world, status == MUSTER_OK || !made || muster_error_detail()[0]);
    RANK_OK(world, muster_group_free(made));
    RANK_OK(world, muster_group_free(parent));
    if (agree(world, rank == victim && was_refused, &least, &greatest))
        return 1;
    *over = greatest == 0;
    return 0;
}

static int lack_memory(muster_group *world, void *arg)
{
    const int *test = arg;
    int victim = *test % 3;

    stays_refused = *test >= 3;
    for (kind kind = SPLIT; kind < KINDS; kind++) {
        bool over = false;
        int refused = 1;

        if (kind == DUP ? victim != 0 : kind == SUBSET && victim == 1) /* a dup is a split, mostly */
            continue;
        while (!over && refused < 1000)
            if (make_one(world, kind, victim, refused++, &over))
                return 1;
        RANK_CHECK(world, over && refused > 20);
    }
    return 0;
}

START_TEST(test_a_member_without_memory)
{
    setenv("MUSTER_FAKE_HOSTS", "0,0,1", 1);
    run_ranks(3, RANKS_AS_PROCESSES, lack_memory, &_i);
    unsetenv("MUSTER_FAKE_HOSTS");
}
END_TEST

/* ---- stopped ---- */

static volatile pid_t *stopped; /* shared */
static bool stops;              /* this process, in the next dup */

muster_status __wrap_muster_group_dup(muster_group *group, muster_group **copy);
muster_status __real_muster_group_dup(muster_group *group, muster_group **copy);

/* The last thing that makes a link. */
muster_status __wrap_muster_group_dup(muster_group *group, muster_group **copy)
{
    if (stops) {
        stops = false;
        *stopped = getpid();
        raise(SIGSTOP);
    }
    return __real_muster_group_dup(group, copy);
}

/* Rank 1 is stopped when it has made half of its part of the link: the others find that out at their limit.
 */
static int stop_in_the_middle(muster_group *world, void *arg)
{
    muster_error_info info = MUSTER_ERROR_INFO_INIT;
    const int *subset = arg, all[3] = { 0, 1, 2 };
    muster_group *made = NULL;
    int rank = muster_group_rank(world);

    RANK_OK(world, muster_barrier(world));
    if (rank != 1)
        RANK_OK(world, muster_group_set_timeout(world, 300000000));
    stops = rank == 1;
    muster_status status =
        *subset ? muster_group_subset(world, all, 3, &made) : muster_group_split(world, 0, -1, &made);
    RANK_CHECK(world, status == MUSTER_ERR_TIMED_OUT && !made);
    RANK_OK(world, muster_last_error(&info));
    RANK_CHECK(world, info.rank == 1 && info.deadline_ns == 300000000);
    RANK_CHECK(world, muster_group_status(world) == MUSTER_ERR_TIMED_OUT);
    if (rank == 0) {
        AWAIT(*stopped);
        RANK_CHECK(world, kill(*stopped, SIGCONT) == 0);
    }
    return 0;
}

START_TEST(test_a_member_that_is_stopped)
{
    rank_options options = { .size = 3, .mode = RANKS_AS_PROCESSES };

    setenv("MUSTER_FAKE_HOSTS", "0,0,1", 1);
    for (int subset = 0; subset < 2; subset++) {
        stopped = shared_page(4096);
        run_ranks_with(options, stop_in_the_middle, &subset);
        shared_page_free((void *)(uintptr_t)stopped, 4096);
    }
    unsetenv("MUSTER_FAKE_HOSTS");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hosts_making");
    TCase *tests = tcase_create("hosts_making");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) {                                    /* it sees nothing of processes */
        tcase_add_loop_test(tests, test_a_member_without_memory, 0, 6); /* which */
        tcase_add_test(tests, test_a_member_that_is_stopped);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
