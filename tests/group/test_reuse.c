/* What a group of split was made of, once a member has died: shared memory's side of test_split. */
#include <stdlib.h>

#include "shm/base/atomic.h"
#include "shm/death/references.h"
#include "shm/death/terminations.h"
#include "shm/port/os.h"
#include "src/onehost/group/group.h"
#include "tests/harness/ranks.h"

/* Whether the cell that a group had is given out again, as the first that is free. */
static bool is_reused(mst_attachment *attachment, uint32_t cell)
{
    mst_member member;

    if (mst_member_claim(attachment, &member) != MUSTER_OK)
        return false;
    mst_member_release(attachment, &member);
    return member.cell == cell;
}

typedef struct death {
    _Atomic uint32_t confirmed;
} death;

/* What rank 0 sees of rank 1 from when it is said to have ended until that is confirmed. */
static int watch_a_death(muster_group *world, muster_group *child)
{
    mst_attachment *attachment = mst_group_of_const(world)->subarena->attachment;
    const mst_geometry *geometry = &attachment->geometry;
    uint32_t cell = mst_group_of_const(child)->subarena->own.cell;
    bool done[2] = { false, false };

    mst_termination_record(geometry, 1, (muster_termination){ MUSTER_TERMINATION_SIGNALED, 9 });
    /* No thread of ours need have told: a call that would not wait for anybody finds it, too. */
    RANK_CHECK(world, muster_send(&cell, 1, MUSTER_UINT32, 1, 0, child) == MUSTER_ERR_PEER_DIED);
    RANK_OK(world, muster_group_free(child));
    RANK_CHECK(world, !is_reused(attachment, cell));
    mst_references_remove(geometry, 1, 0); /* so that only what is not confirmed keeps its memory */
    RANK_CHECK(world, mst_references_release_dead(geometry, done) && !done[1]);
    mst_references_add(geometry, 1, 0);
    mst_termination_record_gone(geometry, 1);
    RANK_CHECK(world, is_reused(attachment, cell));
    RANK_CHECK(world,
               mst_references_release_dead(geometry, done) && !done[1]); /* we are in the world with it */
    return 0;
}

/* Rank 1 is said to have ended and still runs, as one does that the kernel takes long to tear down: what it
 * can write to is not used again, and its memory not freed, until it is confirmed that it writes no
 * more. */
static int reuse_after_a_death(muster_group *world, void *arg)
{
    death *death = arg;
    muster_group *child;

    RANK_OK(world, muster_group_split(world, 0, -1, &child));
    if (muster_group_rank(world) == 0) {
        int failed = watch_a_death(world, child);

        mst_store32_rel(&death->confirmed, 1); /* also where it failed: rank 1 is not to wait for ever */
        return failed;
    }
    while (!mst_load32_acq(&death->confirmed))
        mst_os_yield();
    RANK_OK(world, muster_group_free(child));
    return 0;
}

START_TEST(test_memory_is_reused_only_when_a_death_is_confirmed)
{
    static const char *const detections[] = { "futex", "tick", "launcher" };
    death *death = shared_page(sizeof *death);

    for (size_t i = 0; i < sizeof detections / sizeof detections[0]; i++) {
        setenv("MUSTER_LIVENESS", detections[i], 1);
        *death = (struct death){ 0 };
        run_ranks(2, RANKS_AS_THREADS, reuse_after_a_death, death);
    }
    shared_page_free(death, sizeof *death);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reuse");
    TCase *tests = tcase_create("reuse");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_memory_is_reused_only_when_a_death_is_confirmed);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
