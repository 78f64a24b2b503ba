/*
 * A rank dies while a collective is started, in each state that the operation can be in: not started by it,
 * not matched by another rank, on its way from stage to stage (src/onehost/coll/started.c), over and not
 * completed, completed by the rank that dies; with inputs that are copied and lent, results by slices, and
 * outputs that others still read. The survivors complete it by wait, test, wait_any and wait_all, asleep when
 * the rank dies, once all know of it, and one after another; two of them wait for a receive as well. Each is
 * told who has died and how, or has the right result where the operation no longer needs the dead rank. None
 * waits for ever, no request stays pending, and the rest go on in a group of their own.
 *
 * Ranks go on in turns, in which the others are in no call, and the rank that dies compares what it has told
 * the others with what the state says. With the progress thread, ranks go on by themselves.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "src/onehost/coll/advance.h"
#include "tests/harness/ranks.h"

enum { SIZE = 5, VICTIM = 2, LATE = 4, FEW = 10, MANY = 50000, NEVER = 11, TURNS = 5 };

typedef enum operation {
    BARRIER,
    SUM,         /* inputs are copied */
    MADE_SUM,    /* by a function of the program's */
    SLICES,      /* each rank reduces a slice of copied inputs for all */
    LENT_SLICES, /* of lent ones; results are in the outputs of all but the victim, whose own is private */
    DIRECT,      /* each rank reduces a slice into the outputs of all */
    BROADCAST,   /* from the victim */
    GATHERED,    /* all_gather of lent inputs */
    GATHERED_BY_COUNTS, /* all_gatherv of copied inputs, one of them empty */
    LENT_BY_COUNTS,     /* of lent ones */
    OPERATIONS
} operation;

/* How far all have come when the victim dies. */
typedef enum state {
    NOT_STARTED,         /* by the victim */
    NOT_MATCHED,         /* rank 4 has not started it */
    STARTED,             /* nobody has read */
    READ_BY_VICTIM,      /* and by nobody else */
    READ_BY_OTHERS,      /* and not by the victim */
    READ_BY_ALL,         /* slices are copied only by those who read last */
    DONE_BY_VICTIM,      /* and by those who read last */
    DONE_BY_ALL,         /* nobody has completed it */
    COMPLETED_BY_VICTIM, /* by nobody else */
    STATES
} state;

/* When the survivors complete the operation: they are asleep when the victim dies, know of it, or come one
 * after another, each when the one before has overwritten its input. */
typedef enum moment { ASLEEP, KNOWN, ONE_BY_ONE, MOMENTS } moment;

typedef struct scene {
    operation operation;
    state state;
    moment moment;
    bool threads; /* progress threads */
    _Atomic int steps[SIZE];
} scene;

typedef struct mine {
    muster_group *group;
    scene *scene;
    int rank;
    size_t count;
    int32_t *in, *out;
    bool in_arena, out_in_arena;
    muster_op op;
    size_t counts[SIZE];
    muster_request request, receive; /* the receive: of a message that never comes */
    int32_t never;
} mine;

static bool is_sliced(operation operation)
{
    return operation == SLICES || operation == LENT_SLICES;
}

static bool has_started(const scene *scene)
{
    return scene->state != NOT_STARTED;
}

static bool has_read(const scene *scene)
{
    return scene->state == READ_BY_VICTIM || scene->state >= READ_BY_ALL;
}

static bool is_done(const scene *scene)
{
    return is_sliced(scene->operation) ? scene->state >= DONE_BY_VICTIM : has_read(scene);
}

/* Whether the survivor may have its result: it needs nothing more of the victim. */
static bool may_succeed(const mine *mine)
{
    const scene *scene = mine->scene;
    operation operation = scene->operation;
    bool copied = operation <= MADE_SUM || operation == BROADCAST || operation == GATHERED_BY_COUNTS;

    if (scene->moment == KNOWN || !has_started(scene))
        return false;
    if (scene->threads || copied || (operation == LENT_BY_COUNTS && mine->counts[mine->rank] == 0))
        return true;
    return operation == LENT_SLICES ? is_done(scene) : has_read(scene);
}

/* ---- turns ---- */

static void step(scene *scene, int rank)
{
    scene->steps[rank]++;
}

static void await_step(scene *scene, int rank, int steps)
{
    AWAIT(scene->steps[rank] >= steps);
}

static void await_others(scene *scene, int own, int steps)
{
    for (int rank = 0; rank < SIZE; rank++)
        if (rank != own)
            await_step(scene, rank, steps);
}

/* Makes progress, and completes nothing. */
static int look(const mine *mine)
{
    bool found;

    RANK_OK(mine->group, muster_iprobe(0, NEVER + 1, mine->group, &found, NULL));
    return 0;
}

/* ---- the operation ---- */

static void add(void *acc, const void *next, size_t count, muster_dtype dtype, void *arg)
{
    (void)dtype, (void)arg;
    for (size_t i = 0; i < count; i++)
        ((int32_t *)acc)[i] += ((const int32_t *)next)[i];
}

static int get_buffer(muster_group *world, size_t count, bool arena, int32_t **buffer)
{
    if (arena)
        RANK_OK(world, muster_alloc(world, count * sizeof **buffer, (void **)buffer));
    else
        *buffer = malloc(count * sizeof **buffer);
    RANK_CHECK(world, *buffer);
    memset(*buffer, 0, count * sizeof **buffer);
    return 0;
}

static int prepare(muster_group *world, mine *mine)
{
    operation operation = mine->scene->operation;
    bool large =
        is_sliced(operation) || operation == DIRECT || operation == GATHERED || operation == LENT_BY_COUNTS;

    mine->count = large ? MANY : FEW;
    mine->in_arena = large && operation != SLICES;
    mine->out_in_arena = operation == DIRECT || (operation == LENT_SLICES && mine->rank != VICTIM);
    mine->op = MUSTER_SUM;
    if (operation == MADE_SUM)
        RANK_OK(world, muster_op_create("add", add, NULL, true, &mine->op));
    for (int rank = 0; rank < SIZE; rank++)
        mine->counts[rank] = rank == 1 ? 0 : mine->count;
    if (get_buffer(world, mine->count, mine->in_arena, &mine->in) ||
        get_buffer(world, SIZE * mine->count, mine->out_in_arena, &mine->out))
        return 1;
    for (size_t i = 0; i < mine->count; i++)
        mine->in[i] = mine->rank + (int32_t)i;
    return 0;
}

static int clear(muster_group *world, mine *mine)
{
    if (mine->in_arena)
        RANK_OK(world, muster_free(world, mine->in));
    else
        free(mine->in);
    if (mine->out_in_arena)
        RANK_OK(world, muster_free(world, mine->out));
    else
        free(mine->out);
    if (mine->scene->operation == MADE_SUM)
        RANK_OK(world, muster_op_free(mine->op));
    return 0;
}

static muster_status start(mine *mine)
{
    muster_request *request = &mine->request;
    muster_group *group = mine->group;

    switch (mine->scene->operation) {
    case BARRIER:
        return muster_barrier_start(group, request);
    case BROADCAST:
        return muster_broadcast_start(mine->in, mine->out, mine->count, MUSTER_INT32, VICTIM, group, request);
    case GATHERED:
        return muster_all_gather_start(mine->in, mine->out, mine->count, MUSTER_INT32, group, request);
    case GATHERED_BY_COUNTS:
    case LENT_BY_COUNTS:
        return muster_all_gatherv_start(mine->in, mine->counts[mine->rank], mine->out, mine->counts, NULL,
                                        MUSTER_INT32, group, request);
    default:
        return muster_all_reduce_start(mine->in, mine->out, mine->count, MUSTER_INT32, mine->op, group,
                                       request);
    }
}

/* Whether this is the result. */
static bool is_right(const mine *mine)
{
    operation operation = mine->scene->operation;
    bool counts = operation == GATHERED_BY_COUNTS || operation == LENT_BY_COUNTS;
    size_t at = 0;

    if (operation == BARRIER)
        return true;
    for (int rank = 0; rank < SIZE && (counts || operation == GATHERED); rank++) {
        size_t count = counts ? mine->counts[rank] : mine->count;

        for (size_t i = 0; i < count; i++)
            if (mine->out[at++] != rank + (int32_t)i)
                return false;
    }
    for (size_t i = 0; i < mine->count && at == 0; i++)
        if (mine->out[i] !=
            (operation == BROADCAST ? VICTIM + (int32_t)i : SIZE * (SIZE - 1) / 2 + SIZE * (int32_t)i))
            return false;
    return true;
}

/* ---- survivors ---- */

static int expect_death(const mine *mine, muster_status status)
{
    muster_error_info info = MUSTER_ERROR_INFO_INIT;

    RANK_CHECK(mine->group, status == MUSTER_ERR_PEER_DIED);
    RANK_CHECK(mine->group, strstr(muster_error_detail(), "rank 2 was killed by signal 9"));
    RANK_OK(mine->group, muster_last_error(&info));
    RANK_CHECK(mine->group, info.rank == VICTIM && info.termination.kind == MUSTER_TERMINATION_SIGNALED &&
                                info.termination.code == SIGKILL);
    return 0;
}

/* Completes the operation by the way of this rank; ranks 3 and 4 wait for a receive at once. */
static muster_status complete(mine *mine)
{
    muster_request requests[4] = { MUSTER_REQUEST_INIT, mine->request, MUSTER_REQUEST_INIT, mine->receive };
    int own = mine->rank == 4 && mine->scene->state % 2 ? 3 : 1; /* or behind the receive */
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
        status = muster_wait_any(requests, 4, 0, &index);
        if (index != 1)
            status = MUSTER_ERR_INVALID;
        break;
    default: /* the receive is never over */
        requests[4 - own] = mine->receive;
        requests[own] = mine->request;
        status = muster_wait_all(requests, 4, 0);
    }
    mine->request = requests[own];
    mine->receive = requests[4 - own];
    return status;
}

/* Its own completion breaks no group, so the next ones complete the operation as well, if they can. The next
 * call, in which it learns of the death, comes when all have. */
static void let_the_next_complete(const mine *mine)
{
    if (mine->scene->moment != ONE_BY_ONE)
        return;
    mine->scene->steps[mine->rank] = TURNS + 2;
    await_others(mine->scene, VICTIM, TURNS + 2);
}

static int end_request(mine *mine)
{
    bool starts = mine->rank == LATE && mine->scene->state == NOT_MATCHED;
    muster_status status = starts ? start(mine) : MUSTER_OK;

    if (status == MUSTER_OK)
        status = complete(mine);
    RANK_CHECK(mine->group, !mine->request.group);
    memset(mine->in, 0xee, mine->count * sizeof *mine->in); /* it is this rank's again */
    if (status == MUSTER_OK) {
        RANK_CHECK(mine->group, may_succeed(mine) && is_right(mine));
        let_the_next_complete(mine);
        status = muster_barrier(mine->group);
    }
    if (expect_death(mine, status))
        return 1;
    if (mine->receive.group)
        return expect_death(mine, muster_wait(&mine->receive, 0));
    return 0;
}

/* What a survivor does after the victim's turn. */
static int take_turn(mine *mine, int turn)
{
    const scene *scene = mine->scene;
    bool late = mine->rank == LATE && scene->state == NOT_MATCHED;

    if (turn == 0 && !late)
        RANK_OK(mine->group, start(mine));
    if (turn == 0 && mine->rank >= 3)
        RANK_OK(mine->group, muster_recv_start(&mine->never, 1, MUSTER_INT32, VICTIM, NEVER, mine->group,
                                               NULL, &mine->receive));
    if ((turn == 2 && scene->state >= READ_BY_OTHERS) || (turn == 4 && scene->state == DONE_BY_ALL))
        return look(mine);
    return 0;
}

static int go_on_with_the_rest(muster_group *world)
{
    int32_t one = 1, sum = 0;
    muster_group *rest;

    RANK_OK(world, muster_group_shrink(world, &rest));
    RANK_OK(rest, muster_all_sum(&one, &sum, 1, MUSTER_INT32, rest));
    RANK_CHECK(rest, sum == SIZE - 1);
    RANK_OK(rest, muster_group_free(rest));
    return 0;
}

static int survive(muster_group *world, mine *mine)
{
    scene *scene = mine->scene;

    for (int turn = 0; turn < TURNS; turn++) {
        RANK_CHECK(mine->group, take_turn(mine, turn) == 0);
        step(scene, mine->rank);
        await_step(scene, VICTIM, turn + 1);
    }
    step(scene, mine->rank);
    if (scene->moment == KNOWN)
        AWAIT(muster_group_status(mine->group) == MUSTER_ERR_PEER_DIED);
    for (int rank = 0; rank < mine->rank && scene->moment == ONE_BY_ONE; rank++)
        if (rank != VICTIM)
            await_step(scene, rank, TURNS + 2);
    int failed = end_request(mine);
    scene->steps[mine->rank] = TURNS + 2; /* the others do not wait for one that has failed */
    RANK_CHECK(mine->group, !failed);
    RANK_OK(mine->group, muster_group_free(mine->group)); /* nothing is pending */
    return clear(world, mine) || go_on_with_the_rest(world);
}

/* ---- the victim ---- */

/* It has told the others exactly what the state says. */
static int check_state(const mine *mine)
{
    const struct mst_started_calls *calls = mst_group_of(mine->group)->started;
    const scene *scene = mine->scene;

    RANK_CHECK(mine->group, !calls == !has_started(scene));
    if (!calls || scene->threads)
        return 0;
    RANK_CHECK(mine->group, mst_journal_own(&calls->journal, MST_JOURNAL_STARTED) == 1);
    RANK_CHECK(mine->group, mst_journal_own(&calls->journal, MST_JOURNAL_READ) == has_read(scene));
    RANK_CHECK(mine->group, mst_journal_own(&calls->journal, MST_JOURNAL_DONE) == is_done(scene));
    return 0;
}

static int be_the_victim(mine *mine)
{
    scene *scene = mine->scene;

    for (int turn = 0; turn < TURNS; turn++) {
        await_others(scene, VICTIM, turn + 1);
        if (turn == 0 && has_started(scene))
            RANK_OK(mine->group, start(mine));
        if ((turn == 1 && has_read(scene)) || (turn == 3 && scene->state >= DONE_BY_VICTIM))
            RANK_CHECK(mine->group, look(mine) == 0);
        if (turn == 3 && scene->state == COMPLETED_BY_VICTIM) {
            RANK_OK(mine->group, muster_wait(&mine->request, 0));
            RANK_CHECK(mine->group, is_right(mine));
        }
        step(scene, VICTIM);
    }
    await_others(scene, VICTIM, TURNS + 1);
    if (scene->moment != KNOWN)
        pass_time_ms(30); /* they are asleep, or complete it */
    RANK_CHECK(mine->group, check_state(mine) == 0);
    return raise(SIGKILL);
}

/* ---- runs ---- */

static int play(muster_group *world, void *arg)
{
    mine mine = { .scene = arg,
                  .rank = muster_group_rank(world),
                  .request = MUSTER_REQUEST_INIT,
                  .receive = MUSTER_REQUEST_INIT };

    RANK_OK(world, muster_group_dup(world, &mine.group));
    if (prepare(world, &mine))
        return 1;
    return mine.rank == VICTIM ? be_the_victim(&mine) : survive(world, &mine);
}

static void run_scene(operation operation, state state, moment moment, bool threads)
{
    scene *scene = shared_page(sizeof *scene);
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[SIZE];

    *scene = (struct scene){ .operation = operation, .state = state, .moment = moment, .threads = threads };
    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = SIZE }, play, scene, &report);
    for (int rank = 0; rank < SIZE; rank++)
        ck_assert_msg(
            rank == VICTIM
                ? terminations[rank].kind == MUSTER_TERMINATION_SIGNALED && terminations[rank].code == SIGKILL
                : terminations[rank].kind == MUSTER_TERMINATION_EXITED && terminations[rank].code == 0,
            "operation %d, state %d, moment %d%s: rank %d", operation, state, moment,
            threads ? ", progress threads" : "", rank);
    shared_page_free(scene, sizeof *scene);
}

START_TEST(test_the_peer_dies_in_each_state)
{
    for (state state = 0; state < STATES; state++)
        for (moment moment = 0; moment < MOMENTS; moment++)
            run_scene((operation)_i, state, moment, false);
}
END_TEST

START_TEST(test_the_peer_dies_beside_progress_threads)
{
    setenv("MUSTER_PROGRESS_THREAD", "1", 1);
    for (operation operation = 0; operation < OPERATIONS; operation++)
        run_scene(operation, (state)_i, (moment)((unsigned)_i % MOMENTS), true);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("collective deaths");
    TCase *tests = tcase_create("collective deaths");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    if (!under_thread_sanitizer()) { /* it sees nothing between processes */
        tcase_add_loop_test(tests, test_the_peer_dies_in_each_state, 0, OPERATIONS);
        tcase_add_loop_test(tests, test_the_peer_dies_beside_progress_threads, 0, STATES);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
