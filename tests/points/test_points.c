/*
 * Every fault point, in every rank, made to kill, to stop, to be late and to fail, with the peers asleep and
 * with the peers busy; to be late also in the library's own threads alone: nobody hangs, nobody is taken for
 * dead who only stopped, every result that is returned is right, and whoever is left can go on. The points
 * are those that the source names; each must be reached.
 *
 * TEST_POINT_HITS: how many times a point is passed before the next (a huge number: until no run
 * reaches it so often). TEST_POINT: this point only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/base/fault.h"
#include "shm/port/os.h"
#include "tests/harness/ranks.h"
#include "tests/points/uses.h"

enum { POINTS_MAX = 100 };

#define LATE_US 20000 /* past the first tick of whoever waits */

typedef enum action { KILL, STOP, DELAY, FAIL, ACTIONS } action;

static const char *const action_names[] = { "kill", "stop", "delay", "fail" };

/* What is to happen in this run; written before the ranks are forked. */
static struct plan {
    const char *point;
    action action;
    int victim;
    int hit;         /* the how-manieth time the victim comes by the point */
    bool in_library; /* of its threads only the library's */
    bool asleep;     /* the victim is late for everything, so that its peers sleep */
    int doomed;      /* a rank that dies in any case, so that there is something to recover from; -1: none */
    bool deadlock;
    bool grows; /* the lost are replaced */
    bool meets; /* the library's thread and the rank, at the group's end */
} plan;

typedef struct account {
    _Atomic int fired;
    _Atomic int entered[SIZE];
    _Atomic int lost;                  /* the doomed one is about to die */
    _Atomic int never;                 /* a point was passed that marks what must not happen */
    _Atomic int leaves, spreads, left; /* of the meeting in one rank: see below */
} account;

static account *accounts; /* shared */
static char arena_name[64];

/* ---- the point ---- */

/* Not before the victim has stopped, or it would stay so. */
static void continue_later(void)
{
    pid_t victim = getpid();

    if (fork() == 0) {
        AWAIT(is_stopped(victim) || getppid() != victim);
        pass_time_ms(30);
        kill(victim, SIGCONT);
        _exit(0);
    }
}

static bool is_in_library(void)
{
    return syscall(SYS_gettid) != getpid();
}

static void wait_a_while(const _Atomic int *flag)
{
    for (int i = 0; i < 100 && !*flag; i++)
        pass_time_ms(1);
}

/* The worst of being late: the library's thread sets out to poison the group at the moment when the rank
 * leaves it, and is in the middle when the peers, which see that it has left, use their cells for the next
 * group. Where one cannot come while the other is there they wait in vain, for a while. */
static void meet(const char *name, bool victim)
{
    if (!accounts->lost)
        return;
    if (!victim && strcmp(name, "cell.leave") == 0) { /* what it needs next it gets after this */
        wait_a_while(&accounts->left);
        pass_time_ms(LATE_US / 1000.0);
    }
    if (!victim)
        return;
    if (is_in_library() && strcmp(name, "death_word.notify") == 0)
        wait_a_while(&accounts->leaves);
    if (is_in_library() && strcmp(name, "poison.decided") == 0 && !accounts->spreads) {
        accounts->spreads = 1;
        pass_time_ms(5 * LATE_US / 1000.0);
    }
    if (!is_in_library() && strcmp(name, "cell.leave") == 0 && !accounts->leaves) {
        accounts->leaves = 1;
        wait_a_while(&accounts->spreads);
        accounts->left = 1;
    }
}

bool mst_fault_point(const char *name)
{
    static _Atomic int passed;
    const char *rank = getenv("MUSTER_RANK");

    if (strncmp(name, "never.", 6) == 0)
        accounts->never = 1;
    if (rank && plan.meets)
        meet(name, atoi(rank) == plan.victim);
    if (!rank || atoi(rank) != plan.victim || strcmp(name, plan.point) != 0 || accounts->fired ||
        (plan.in_library && !is_in_library()) || ++passed != plan.hit)
        return false;
    accounts->fired = 1;
    if (plan.action == FAIL)
        return true;
    if (plan.action == DELAY) {
        pass_time_ms(LATE_US / 1000.0);
        return false;
    }
    if (plan.action == STOP)
        continue_later();
    kill(getpid(), plan.action == STOP ? SIGSTOP : SIGKILL);
    while (plan.action == KILL)
        pause();
    return false;
}

/* ---- the program ---- */

static muster_status run_into_deadlock(muster_group *world)
{
    muster_group *pair;
    float x;

    muster_status status = muster_group_split(world, 0, -1, &pair);
    if (status != MUSTER_OK)
        return status;
    status = muster_recv(&x, 1, MUSTER_FLOAT32, (muster_group_rank(pair) + 1) % SIZE, 0, pair, NULL);
    muster_group_free(pair);
    return status == MUSTER_ERR_DEADLOCK ? MUSTER_OK : status;
}

/* A world of our own making, met by name, and freed in the orderly way. */
static muster_status use_another_world(muster_group *world)
{
    muster_config config = MUSTER_CONFIG_INIT;
    muster_group *other;

    config.arena = arena_name;
    config.rank = muster_group_rank(world);
    config.size = SIZE;
    if (plan.action != STOP) /* nobody tells how a rank ended that has not come */
        config.attach_timeout_ns = 400 * 1000 * 1000;
    muster_status status = muster_attach(&config, &other);
    if (status == MUSTER_ERR_TIMED_OUT && plan.action != STOP)
        return muster_barrier(world);
    if (status != MUSTER_OK)
        return status;
    status = muster_barrier(other);
    muster_group_free(other);
    return status;
}

/* In a group that is freed broken, so that its memory is used again. */
static muster_status lose_one(muster_group *world)
{
    muster_group *group;

    muster_status status = muster_group_split(world, 0, -1, &group);
    if (status != MUSTER_OK)
        return status;
    if (muster_group_rank(world) == plan.doomed) {
        accounts->lost = 1;
        raise(SIGKILL);
    }
    status = muster_barrier(group);
    muster_group_free(group);
    return status;
}

static void be_late(int rank)
{
    if (plan.asleep && rank == plan.victim)
        pass_time_ms(2.5); /* longer than anyone spins or yields */
}

/* Everything once; a wrong result reads as BAD_ARENA. */
static muster_status use_everything(muster_group *world)
{
    static float x[FLOATS], y[FLOATS];
    int rank = muster_group_rank(world);
    float sum = SIZE * (SIZE + 1) / 2;
    muster_status status = MUSTER_OK;

    for (int i = 0; i < FLOATS; i++)
        x[i] = (float)(1 + rank);
    for (int step = 0; step < 11 && status == MUSTER_OK; step++) {
        be_late(rank);
        switch (step) {
        case 0:
            status = muster_all_sum(x, y, 1, MUSTER_FLOAT32, world);
            break;
        case 1:
            status = muster_all_sum(x, y, FLOATS, MUSTER_FLOAT32, world);
            break;
        case 2:
            status = use_messages(world, x, y);
            break;
        case 3:
            status = use_child(world, x, y);
            break;
        case 4:
            status = use_started(world, x, y);
            break;
        case 5:
            status = plan.deadlock ? run_into_deadlock(world) : MUSTER_OK;
            break;
        case 6:
            status = use_another_world(world);
            break;
        case 7:
            status = use_share(world, plan.action == FAIL);
            break;
        case 8:
            status = use_queue(world);
            break;
        case 9:
            status = use_one_copy(world);
            break;
        default:
            status = lose_one(world);
        }
        if (status == MUSTER_OK && step < 2 && (y[0] != sum || (step == 1 && y[FLOATS - 1] != sum)))
            status = MUSTER_ERR_BAD_ARENA;
    }
    return status;
}

/* Groups that come and go in the memory of those before. */
static muster_status use_children(muster_group *group)
{
    muster_status status = MUSTER_OK;
    muster_group *child;

    for (int i = 0; i < 4 && status == MUSTER_OK; i++) {
        status = muster_group_split(group, 0, -1, &child);
        if (status != MUSTER_OK)
            break;
        status = muster_barrier(child);
        muster_group_free(child);
    }
    return status;
}

/* Shrinks until the survivors' group works. */
static int go_on_with_the_rest(muster_group *world)
{
    uint64_t mine = 1ULL << muster_group_rank(world), sum = 0, members;
    muster_group *group = world, *smaller;

    for (;;) {
        be_late(muster_group_rank(world));
        RANK_OK(world, muster_group_shrink(group, &smaller));
        if (group != world)
            muster_group_free(group);
        group = smaller;
        members = 0;
        for (int rank = 0; rank < SIZE; rank++)
            if (muster_group_translate(world, rank, group) >= 0)
                members |= 1ULL << rank;
        muster_status status = muster_all_sum(&mine, &sum, 1, MUSTER_UINT64, group);
        if (status == MUSTER_OK) {
            RANK_CHECK(group, sum == members);
            status = use_children(group);
        }
        if (status == MUSTER_OK) {
            muster_group_free(group);
            return 0;
        }
        RANK_CHECK(group, status == MUSTER_ERR_PEER_DIED);
    }
}

/* Grows until all are there and the group works; a replacement begins in the middle. */
static int go_on_with_replacements(muster_group *world, bool replacement)
{
    muster_group *group = world, *grown;
    muster_status status = replacement ? MUSTER_OK : MUSTER_ERR_PEER_DIED;

    for (;;) {
        uint64_t mine = 1ULL << atoi(getenv("MUSTER_RANK")), sum = 0;

        if (status == MUSTER_OK)
            status = muster_all_sum(&mine, &sum, 1, MUSTER_UINT64, group);
        if (status == MUSTER_OK) {
            RANK_CHECK(group, sum == (1ULL << SIZE) - 1);
            muster_group_free(group);
            return 0;
        }
        RANK_CHECK(group, status == MUSTER_ERR_PEER_DIED);
        be_late(muster_group_rank(world));
        status = muster_group_grow(group, &grown);
        RANK_OK(world, status);
        if (group != world)
            muster_group_free(group);
        group = grown;
    }
}

static int body(muster_group *world, void *arg)
{
    bool replacement = atoi(getenv("MUSTER_RESTARTS")) > 0;

    (void)arg;
    accounts->entered[atoi(getenv("MUSTER_RANK"))] = 1;
    muster_status status = replacement ? MUSTER_OK : use_everything(world);
    if (replacement || (status == MUSTER_ERR_PEER_DIED && plan.grows))
        return go_on_with_replacements(world, replacement);
    if (status == MUSTER_OK)
        return 0;
    if (status == MUSTER_ERR_PEER_DIED && !(plan.action == STOP && plan.doomed < 0))
        return go_on_with_the_rest(world);
    if (plan.action == FAIL && status == MUSTER_ERR_NO_SPACE) { /* ours; the others wait for us in vain */
        muster_group_abort(world, "no space");
        return 0;
    }
    if (plan.action == FAIL && status == MUSTER_ERR_ABORTED)
        return 0;
    return rank_failed(__FILE__, __LINE__, world, muster_status_string(status));
}

/* ---- the runs ---- */

static void run_plan(void)
{
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[SIZE];

    memset(accounts, 0, sizeof *accounts);
    name_of_test(arena_name, sizeof arena_name, "points");
    report.terminations = terminations;
    run_failing_ranks((rank_options){ .size = SIZE, .restarts = plan.grows ? 10 : 0 }, body, NULL, &report);
    for (int rank = 0; rank < SIZE; rank++) {
        muster_termination how = terminations[rank];
        bool killed = how.kind == MUSTER_TERMINATION_SIGNALED && how.code == SIGKILL;
        bool expected = killed ? (rank == plan.victim && plan.action == KILL) || rank == plan.doomed
                               : how.kind == MUSTER_TERMINATION_EXITED && how.code == 0;

        /* A world that never came about, because a rank died or failed on the way to it. */
        if (plan.action != STOP && how.kind == MUSTER_TERMINATION_EXITED && how.code == 125)
            expected = !accounts->entered[rank] && accounts->fired;
        ck_assert_msg(!accounts->never,
                      "point %s, pass %d, %s in rank %d%s: what must never happen has happened", plan.point,
                      plan.hit, action_names[plan.action], plan.victim,
                      plan.in_library ? ", the library's threads" : "");
        ck_assert_msg(expected, "point %s, pass %d, %s in rank %d, peers %s, doomed %d: rank %d ended %d, %d",
                      plan.point, plan.hit, action_names[plan.action], plan.victim,
                      plan.asleep ? "asleep" : "busy", plan.doomed, rank, how.kind, how.code);
    }
}

/* Those that the source names; to fail, only those of them whose answer it asks for. */
static int list_points(char points[][40], action action)
{
    char command[300], line[40];
    int count = 0;

    snprintf(command, sizeof command,
             "grep -rhE 'mst_fault_point\\(\"' %s/shm %s/src | %s | "
             "grep -oE 'mst_fault_point\\(\"[a-z.]+\"' | cut -d'\"' -f2 | grep -v '^never' | sort -u",
             getenv("TEST_SOURCE"), getenv("TEST_SOURCE"),
             action == FAIL ? "grep -vE '^ *mst_fault_point'" : "cat");
    FILE *found = popen(command, "r");
    ck_assert_ptr_nonnull(found);
    while (count < POINTS_MAX && fgets(line, sizeof line, found)) {
        line[strcspn(line, "\n")] = '\0';
        strcpy(points[count++], line);
    }
    pclose(found);
    return count;
}

/* All passes of a point; whether there were any. */
static bool play_point(const char *point, action action, int victim, bool in_library, bool asleep, int hits)
{
    bool reached = false;

    /* These are come by in two levels only. */
    if (strncmp(point, "levels.", 7) == 0)
        setenv("MUSTER_PRETEND_TOPOLOGY", "2x2", 1);
    else
        unsetenv("MUSTER_PRETEND_TOPOLOGY");
    for (int hit = 1; hit <= hits; hit++) {
        plan =
            (struct plan){ .point = point, .action = action, .victim = victim, .hit = hit, .asleep = asleep };
        plan.in_library = in_library;
        plan.doomed = action == STOP ? -1 : (victim + 1) % SIZE;
        plan.grows = strncmp(point, "respawned rank.", 9) == 0;
        if (plan.grows) /* all but one of these are the replacement's */
            plan.doomed = strcmp(point, "respawned.admitted") == 0 ? (victim + 1) % SIZE : victim;
        plan.deadlock = strncmp(point, "wait.", 5) == 0 || strncmp(point, "verdict.", 8) == 0;
        run_plan();
        if (!accounts->fired)
            break;
        reached = true;
    }
    return reached;
}

START_TEST(test_every_point)
{
    static char points[POINTS_MAX][40];
    const char *wanted = getenv("TEST_POINT_HITS"), *only = getenv("TEST_POINT");
    int count = list_points(points, (action)_i), hits = wanted ? atoi(wanted) : 1;

    accounts = shared_page(sizeof *accounts);
    ck_assert_int_gt(count, _i == FAIL ? 0 : 25);
    for (int i = 0; i < count; i++) {
        bool reached = false;
        /* Who is the first to record a termination, to prove a cycle, or to remove a name, is chance. */
        int tries = _i == KILL ? 10 : 1;

        if (only && strcmp(only, points[i]) != 0)
            continue;
        if (strncmp(points[i], "death_word.", 7) == 0 && strcmp(mst_os_park_name(), "futex") != 0)
            continue; /* none there */
        for (int victim = 0; victim < SIZE * tries && !(reached && victim >= SIZE); victim++)
            for (int asleep = 0; asleep < 2; asleep++)
                reached |=
                    play_point(points[i], (action)_i, victim % SIZE, false, asleep, _i == STOP ? 1 : hits);
        for (int victim = 0; victim < SIZE && _i == DELAY; victim++)
            if (!play_point(points[i], DELAY, victim, true, victim % 2, hits))
                break; /* none of the library's threads comes there */
        /* Without a death nobody records, spreads or shrinks, so stops come by fewer of them. */
        ck_assert_msg(reached || _i != KILL, "no run came by the point %s", points[i]);
    }
    shared_page_free(accounts, sizeof *accounts);
}
END_TEST

/* The library's thread that watches over a rank is late for the end of a group. */
START_TEST(test_thread_is_late_for_the_end_of_a_group)
{
    accounts = shared_page(sizeof *accounts);
    for (int victim = 0; victim < SIZE; victim++) {
        plan = (struct plan){ .point = "none", .action = DELAY, .victim = victim, .meets = true };
        plan.doomed = (victim + 1) % SIZE;
        run_plan();
        ck_assert_msg(accounts->leaves, "rank %d did not leave the group", victim);
    }
    shared_page_free(accounts, sizeof *accounts);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("points");
    TCase *tests = tcase_create("points");

    setenv("MUSTER_TUNING", "one_copy_bytes_min=100000,one_copy_bytes_min_oversubscribed=100000", 1);
    tcase_set_timeout(tests, getenv("TEST_POINT_HITS") ? 36000 : TEST_TIMEOUT_S);
    /* A stop is the same for a sanitizer, and takes as long as all else. */
    tcase_add_loop_test(tests, test_every_point, 0, under_address_sanitizer() ? STOP : ACTIONS);
    if (strcmp(mst_os_park_name(), "futex") == 0) /* there is none elsewhere */
        tcase_add_test(tests, test_thread_is_late_for_the_end_of_a_group);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
