/*
 * The peer of a started message dies, in each state that a request can be in, of a send and of a receive. In
 * each run four ranks have such a request with the victim, and complete it by wait, test, wait_any and
 * wait_all: each is told who has died and how, its request is reset, and nothing keeps it from freeing the
 * group. The victim dies when all are asleep in these calls, or before, when all know it already.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/ranks.h"

enum { SIZE = 5, VICTIM = 2, LARGE = 3000000, FILL = 30000, FILLS = 200, TAG = 7, OTHER_TAG = 9, NEVER = 11 };

/* What the request of the others is when the victim dies. */
typedef enum state {
    SEND_QUEUED,      /* not put: nobody reads, and the channel is full */
    SEND_TOLD,        /* the first part is there, and not matched */
    SEND_ANNOUNCED,   /* the victim knows of it, and has none of its bytes */
    SEND_BEGUN,       /* the victim has matched it and asked for the rest */
    SEND_PARTLY,      /* and has got a part of that */
    SEND_COMPLETE,    /* all is there, and nobody has waited for it */
    RECEIVE_POSTED,   /* nothing was sent */
    RECEIVE_ANY,      /* from any source */
    RECEIVE_BEGUN,    /* the first part is here, the rest was asked for */
    RECEIVE_PARTLY,   /* and a part of that is here */
    RECEIVE_ARRIVED,  /* all is there, and this rank has not looked */
    RECEIVE_COMPLETE, /* this rank has it, and has not waited for it */
    RECEIVE_CANCELED, /* taken back */
    STATES
} state;

typedef struct scene {
    state state;
    bool arena;              /* the buffers are in the arena, and large messages are views */
    bool known;              /* the others know of the death before they wait */
    _Atomic int steps[SIZE]; /* how far each rank has come; the victim's: all others */
} scene;

typedef struct mine {
    muster_group *group;
    scene *scene;
    int rank;
    unsigned char *bytes;   /* of the message */
    muster_request request; /* with the victim */
    muster_request fill;    /* what no longer fits into the channel before it */
    muster_message came;
} mine;

static bool is_send(state state)
{
    return state < RECEIVE_POSTED;
}

static bool is_small(state state)
{
    return state == SEND_COMPLETE || state == RECEIVE_ARRIVED || state == RECEIVE_COMPLETE;
}

/* Whether the request may end well: all that it needs of the victim has been done. A view that the victim has
 * answered only has to be moved on. */
static bool may_succeed(const scene *scene)
{
    return is_small(scene->state) || (scene->arena && scene->state == SEND_BEGUN);
}

static size_t size_of(state state)
{
    return is_small(state) ? 100 : LARGE;
}

static int get_bytes(muster_group *group, bool arena, unsigned char **bytes)
{
    if (arena)
        RANK_OK(group, muster_alloc(group, LARGE, (void **)bytes));
    else
        *bytes = malloc(LARGE);
    RANK_CHECK(group, *bytes);
    return 0;
}

/* ---- steps ---- */

static void step(scene *scene, int rank)
{
    scene->steps[rank]++;
}

static void await_step(scene *scene, int rank, int steps)
{
    AWAIT(scene->steps[rank] >= steps);
}

static void await_others(scene *scene, int steps)
{
    for (int rank = 0; rank < SIZE; rank++)
        if (rank != VICTIM)
            await_step(scene, rank, steps);
}

/* ---- the others ---- */

static int test_undone(mine *mine)
{
    bool done = true;

    RANK_OK(mine->group, muster_test(&mine->request, &done));
    RANK_CHECK(mine->group, !done);
    return 0;
}

static int fill_channel(mine *mine)
{
    bool done = true;

    for (int i = 0; i < FILLS && done; i++) {
        RANK_OK(mine->group, muster_send_start(mine->bytes, FILL, MUSTER_UINT8, VICTIM, OTHER_TAG,
                                               mine->group, &mine->fill));
        RANK_OK(mine->group, muster_test(&mine->fill, &done));
    }
    RANK_CHECK(mine->group, !done); /* it is full */
    return 0;
}

static int begin_request(mine *mine)
{
    state state = mine->scene->state;
    size_t bytes = size_of(state);
    int from = state == RECEIVE_ANY ? MUSTER_ANY_SOURCE : VICTIM;

    memset(mine->bytes, is_send(state) ? 1 + mine->rank : 0, LARGE);
    if ((state == SEND_QUEUED || state == SEND_ANNOUNCED) && fill_channel(mine))
        return 1;
    if (is_send(state))
        RANK_OK(mine->group, muster_send_start(mine->bytes, bytes, MUSTER_UINT8, VICTIM, TAG, mine->group,
                                               &mine->request));
    else
        RANK_OK(mine->group, muster_recv_start(mine->bytes, bytes, MUSTER_UINT8, from, TAG, mine->group,
                                               &mine->came, &mine->request));
    return 0;
}

/* What this rank does after the victim's step. */
static int go_on(mine *mine, int turn)
{
    bool found, canceled = false;

    switch (mine->scene->state) {
    case SEND_PARTLY:
    case SEND_ANNOUNCED:
    case RECEIVE_BEGUN:
        return turn == 0 ? test_undone(mine) : 0;
    case RECEIVE_PARTLY:
        return test_undone(mine);
    case RECEIVE_COMPLETE: /* moved by another call */
        if (turn == 0)
            RANK_OK(mine->group, muster_iprobe(VICTIM, NEVER, mine->group, &found, NULL));
        RANK_CHECK(mine->group, mine->bytes[0] == 1 + mine->rank);
        return 0;
    case RECEIVE_CANCELED:
        if (turn == 0)
            RANK_OK(mine->group, muster_cancel(&mine->request, &canceled));
        RANK_CHECK(mine->group, !mine->request.group && (canceled || turn));
        return 0;
    default:
        return 0;
    }
}

/* By the way of this rank. */
static muster_status complete(mine *mine)
{
    muster_request requests[3] = { MUSTER_REQUEST_INIT, mine->request, MUSTER_REQUEST_INIT };
    muster_status status = MUSTER_OK;
    bool done = false;
    size_t index = 1;

    switch (mine->rank) {
    case 0:
        status = muster_wait(&requests[1], 0);
        break;
    case 1:
        while (status == MUSTER_OK && !done)
            status = muster_test(&requests[1], &done);
        break;
    case 3:
        status = muster_wait_any(requests, 3, 0, &index);
        if (index != 1)
            status = MUSTER_ERR_INVALID;
        break;
    default:
        status = muster_wait_all(requests, 3, 0);
    }
    mine->request = requests[1];
    return status;
}

static int expect_death(const mine *mine, muster_status status)
{
    RANK_CHECK(mine->group, status == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(mine->group, strstr(muster_error_detail(), "rank 2 was killed by signal 9"));
    muster_error_info info = MUSTER_ERROR_INFO_INIT;
    RANK_OK(mine->group, muster_last_error(&info));
    RANK_CHECK(mine->group, info.rank == VICTIM && info.termination.code == SIGKILL);
    return 0;
}

static int end_request(mine *mine)
{
    const scene *scene = mine->scene;

    if (scene->state == RECEIVE_CANCELED) { /* nothing is pending, and the next call tells */
        RANK_CHECK(mine->group, muster_wait(&mine->request, 0) == MUSTER_ERR_INVALID);
        return expect_death(mine, muster_barrier(mine->group));
    }
    muster_status status = complete(mine);
    RANK_CHECK(mine->group, !mine->request.group);
    if (status == MUSTER_OK && may_succeed(scene) && !scene->known) {
        RANK_CHECK(mine->group, is_send(scene->state) || mine->bytes[99] == 1 + mine->rank);
        RANK_CHECK(mine->group, is_send(scene->state) || mine->came.count == 100);
        return expect_death(mine, muster_barrier(mine->group));
    }
    return expect_death(mine, status);
}

static int survive(mine *mine)
{
    scene *scene = mine->scene;

    RANK_CHECK(mine->group, begin_request(mine) == 0);
    for (int turn = 0; turn < 3; turn++) {
        step(scene, mine->rank);
        await_step(scene, VICTIM, turn + 1);
        RANK_CHECK(mine->group, go_on(mine, turn) == 0);
    }
    step(scene, mine->rank);
    if (scene->known)
        AWAIT(muster_group_status(mine->group) == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(mine->group, end_request(mine) == 0);
    if (mine->fill.group)
        RANK_CHECK(mine->group, muster_wait(&mine->fill, 0) == MUSTER_ERR_PEER_DIED);
    RANK_OK(mine->group, muster_group_free(mine->group)); /* nothing is pending */
    return 0;
}

/* ---- the victim ---- */

/* Its end of each message. */
static int begin_end(muster_group *group, const scene *scene, int rank, unsigned char *bytes,
                     muster_request *request)
{
    state state = scene->state;
    bool found, done = true;

    switch (state) {
    case SEND_ANNOUNCED: /* it looks for what is not there */
        RANK_OK(group, muster_iprobe(rank, NEVER, group, &found, NULL));
        break;
    case SEND_BEGUN:
    case SEND_PARTLY:
        RANK_OK(group, muster_recv_start(bytes, LARGE, MUSTER_UINT8, rank, TAG, group, NULL, request));
        RANK_OK(group, muster_test(request, &done));
        RANK_CHECK(group, !done && bytes[100] == 1 + rank);
        break;
    case RECEIVE_BEGUN:
    case RECEIVE_PARTLY:
    case RECEIVE_ARRIVED:
    case RECEIVE_COMPLETE:
        memset(bytes, 1 + rank, size_of(state));
        RANK_OK(group, muster_send_start(bytes, size_of(state), MUSTER_UINT8, rank, TAG, group, request));
        break;
    default:
        break;
    }
    return 0;
}

/* After the others' first turn. */
static int move_end(muster_group *group, const scene *scene, int rank, const unsigned char *bytes,
                    muster_request *request)
{
    muster_message seen = MUSTER_MESSAGE_INIT;
    bool done = true, found;

    switch (scene->state) {
    case SEND_ANNOUNCED:
        RANK_OK(group, muster_iprobe(rank, TAG, group, &found, &seen));
        RANK_CHECK(group, found && seen.count == LARGE);
        break;
    case SEND_PARTLY:
        RANK_OK(group, muster_test(request, &done));
        RANK_CHECK(group, !done && bytes[70000] == 1 + rank && bytes[LARGE - 1] == 0);
        break;
    case RECEIVE_PARTLY:
        RANK_OK(group, muster_test(request, &done));
        RANK_CHECK(group, !done);
        break;
    default:
        break;
    }
    return 0;
}

static int be_the_victim(muster_group *group, scene *scene)
{
    muster_request requests[SIZE] = { MUSTER_REQUEST_INIT };
    unsigned char *bytes[SIZE] = { NULL };

    for (int rank = 0; rank < SIZE; rank++) {
        if (get_bytes(group, scene->arena, &bytes[rank]))
            return 1;
        memset(bytes[rank], 0, LARGE);
    }
    for (int turn = 0; turn < 3; turn++) {
        await_others(scene, turn + 1);
        for (int rank = 0; rank < SIZE && turn < 2; rank++)
            if (rank != VICTIM && (turn == 0 ? begin_end(group, scene, rank, bytes[rank], &requests[rank])
                                             : move_end(group, scene, rank, bytes[rank], &requests[rank])))
                return 1;
        step(scene, VICTIM);
    }
    await_others(scene, 4);
    if (!scene->known)
        pass_time_ms(30); /* they are asleep */
    return raise(SIGKILL);
}

/* ---- runs ---- */

static int play(muster_group *world, void *arg)
{
    mine mine = { .scene = arg, .rank = muster_group_rank(world), .came = MUSTER_MESSAGE_INIT };

    RANK_OK(world, muster_group_dup(world, &mine.group));
    if (mine.rank == VICTIM)
        return be_the_victim(mine.group, arg);
    if (get_bytes(mine.group, mine.scene->arena, &mine.bytes))
        return 1;
    return survive(&mine);
}

static void run_scene(state state, bool arena, bool known)
{
    scene *scene = shared_page(sizeof *scene);
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[SIZE];

    *scene = (struct scene){ .state = state, .arena = arena, .known = known };
    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = SIZE }, play, scene, &report);
    for (int rank = 0; rank < SIZE; rank++)
        ck_assert_msg(
            rank == VICTIM
                ? terminations[rank].kind == MUSTER_TERMINATION_SIGNALED && terminations[rank].code == SIGKILL
                : terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0,
            "state %d, %s buffers, the death is %s: rank %d", state, arena ? "arena" : "private",
            known ? "known" : "not known", rank);
    shared_page_free(scene, sizeof *scene);
}

START_TEST(test_the_peer_dies_in_each_state)
{
    for (int known = 0; known < 2; known++)
        run_scene((state)_i, false, known);
}
END_TEST

/* With large messages as views. What the victim has once read as a view is not read in parts. */
START_TEST(test_the_peer_dies_in_each_state_of_a_view)
{
    static const state states[] = { SEND_TOLD, SEND_ANNOUNCED, SEND_BEGUN, RECEIVE_POSTED, RECEIVE_BEGUN };

    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        for (int known = 0; known < 2; known++)
            run_scene(states[i], true, known);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message deaths");
    TCase *tests = tcase_create("message deaths");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) { /* it sees nothing between processes */
        tcase_add_loop_test(tests, test_the_peer_dies_in_each_state, 0, STATES);
        tcase_add_test(tests, test_the_peer_dies_in_each_state_of_a_view);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
