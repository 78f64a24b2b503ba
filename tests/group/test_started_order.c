/* Started messages that could pass at once, and must not, since others were started before them
 * (src/onehost/messages/at_once.h). */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ranks.h"

/* ---- sends ---- */

enum { LARGE = 12000, MANY = 200 }; /* bytes; more than a channel has room for */

/* The channel is full for a large message, and has room for the small one behind it, of the same tag. */
static int small_behind_large(muster_group *world, void *arg)
{
    static unsigned char out[LARGE], in[LARGE], small = 1;
    muster_request requests[MANY + 1];
    _Atomic int *started = arg;

    if (muster_group_rank(world) == 0) {
        for (int i = 0; i < MANY; i++)
            RANK_OK(world, muster_send_start(out, LARGE, MUSTER_UINT8, 1, 5, world, &requests[i]));
        RANK_OK(world, muster_send_start(&small, 1, MUSTER_UINT8, 1, 5, world, &requests[MANY]));
        *started = 1;
        RANK_OK(world, muster_wait_all(requests, MANY + 1, 0));
        return 0;
    }
    AWAIT(*started);
    for (int i = 0; i < MANY; i++)
        RANK_OK(world, muster_recv(in, LARGE, MUSTER_UINT8, 0, 5, world, NULL));
    RANK_OK(world, muster_recv(in, 1, MUSTER_UINT8, 0, 5, world, NULL));
    RANK_CHECK(world, in[0] == 1);
    return 0;
}

START_TEST(test_a_small_send_passes_no_large_one)
{
    _Atomic int *started = shared_page(sizeof *started);

    run_ranks(2, RANKS_AS_PROCESSES, small_behind_large, started);
    shared_page_free(started, sizeof *started);
}
END_TEST

/* ---- receives ---- */

typedef struct scene {
    int source, tag; /* of the receive that is started first */
    _Atomic int posted, sent;
} scene;

/* The message that both receives match comes between them, while this rank is in no call. */
static int receives_in_order(muster_group *world, void *arg)
{
    scene *scene = arg;
    int32_t first = 0, second = 0, values[2] = { 11, 22 };
    muster_request requests[2];

    if (muster_group_rank(world) == 1) {
        AWAIT(scene->posted);
        RANK_OK(world, muster_send(&values[0], 1, MUSTER_INT32, 0, 3, world));
        scene->sent = 1;
        RANK_OK(world, muster_send(&values[1], 1, MUSTER_INT32, 0, 3, world));
        return 0;
    }
    RANK_OK(world,
            muster_recv_start(&first, 1, MUSTER_INT32, scene->source, scene->tag, world, NULL, &requests[0]));
    scene->posted = 1;
    AWAIT(scene->sent);
    RANK_OK(world, muster_recv_start(&second, 1, MUSTER_INT32, 1, 3, world, NULL, &requests[1]));
    RANK_OK(world, muster_wait_all(requests, 2, 0));
    RANK_CHECK(world, first == 11 && second == 22);
    return 0;
}

static const struct {
    int source, tag;
} wanted[] = {
    { 1, 3 }, { 1, MUSTER_ANY_TAG }, { MUSTER_ANY_SOURCE, 3 }, { MUSTER_ANY_SOURCE, MUSTER_ANY_TAG }
};

START_TEST(test_a_receive_takes_nothing_of_one_before_it)
{
    scene *scene = shared_page(sizeof *scene);

    scene->source = wanted[_i].source;
    scene->tag = wanted[_i].tag;
    run_ranks(2, RANKS_AS_PROCESSES, receives_in_order, scene);
    shared_page_free(scene, sizeof *scene);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("started_order");
    TCase *tests = tcase_create("started_order");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, test_a_small_send_passes_no_large_one);
    tcase_add_loop_test(tests, test_a_receive_takes_nothing_of_one_before_it, 0, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
