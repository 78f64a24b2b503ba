/*
 * A storm: in every world ranks are killed, stopped and continued at random moments, while they attach,
 * operate, split, allocate, have requests of every kind in flight, shrink and grow; on every way of learning
 * of deaths; and now and then the launcher dies itself. Every survivor must end, and whatever it is told must
 * name a rank that was killed.
 *
 * Worlds either shrink, until one rank is left, or grow, with restarts. The killer is a process of its own,
 * which finds the ranks in the arena and kills only children of the launcher. Each world has a seed, which is
 * printed when it fails: TEST_SEED repeats that one alone. TEST_STORM_KILLS: how many kills in all
 * (scripts/soak: 200 000); TEST_STORM_FROM: the first world's seed.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/base/atomic.h"
#include "shm/base/layout.h"
#include "shm/port/os.h"
#include "tests/harness/in_flight.h"
#include "tests/harness/oracle.h"
#include "tests/harness/ranks.h"

enum { STARTED = 4, RANKS_MAX = 8, RESTARTS = 8, SEATS_MAX = RANKS_MAX + RESTARTS, ELEMENTS = 20000 };

#define ENTRIES_BYTES (MST_ENTRIES_OFFSET + SEATS_MAX * sizeof(mst_rank_entry))

typedef struct scene {
    uint64_t seed;
    int size, seats;
    bool grows, orphans;
    bool early; /* the storm begins while ranks attach */
    int kills_wanted;
    pid_t launcher;
    _Atomic int kills;
    _Atomic int over;              /* the killer is done */
    _Atomic int orphaned;          /* the launcher has been killed */
    _Atomic int killed[RANKS_MAX]; /* by rank: how often, noted before */
    _Atomic int inside[RANKS_MAX]; /* by rank: how often its body has begun */
    _Atomic int failed;            /* something was wrong, and has been said */
} scene;

static const char *const detections[] = { "futex", "tick", "pidfd", "launcher" };

static void nap_up_to(uint64_t *state, long ns)
{
    pass_time_ms((double)(random_next(state) % (uint64_t)ns) / 1e6);
}

static int complain(scene *scene, const char *who, const char *what)
{
    if (scene->orphaned)
        return 0;
    scene->failed = 1;
    fprintf(stderr, "seed %llu: %d ranks that %s: %s: %s\n", (unsigned long long)scene->seed, scene->size,
            scene->grows ? "grow" : "shrink", who, what);
    return 1;
}

/* ---- ranks ---- */

/* A group, and which rank of the world each of its members is; -1: not known, as it is a respawned rank. */
typedef struct team {
    muster_group *group;
    int members[RANKS_MAX];
} team;

static int64_t in[ELEMENTS], out[RANKS_MAX * ELEMENTS];

static int own_rank(void)
{
    return atoi(getenv("MUSTER_RANK"));
}

/* In the same order, so that a rank that dies has the same number in both. */
static muster_status subset_of_all(const team *team, muster_group **child)
{
    int ranks[RANKS_MAX], size = muster_group_size(team->group);

    for (int i = 0; i < size; i++)
        ranks[i] = i;
    return muster_group_subset(team->group, ranks, size, child);
}

static muster_status use_child(const team *team, int kind)
{
    muster_group *child;

    muster_status status = kind == 0   ? muster_group_split(team->group, 0, -1, &child)
                           : kind == 1 ? muster_group_dup(team->group, &child)
                                       : subset_of_all(team, &child);
    if (status != MUSTER_OK)
        return status;
    status = muster_all_sum(in, out, ELEMENTS, MUSTER_INT64, child);
    muster_group_free(child);
    return status;
}

static muster_status use_arena(const team *team)
{
    void *buffer;

    muster_status status = muster_alloc(team->group, 1 << 20, &buffer);
    if (status != MUSTER_OK)
        return status;
    memset(buffer, 1, 1 << 20);
    status = muster_all_sum(buffer, buffer, 1 << 17, MUSTER_INT64, team->group);
    muster_free(team->group, buffer);
    return status;
}

static muster_status use_started(const team *team)
{
    muster_request requests[STARTED] = { MUSTER_REQUEST_INIT };
    static int64_t gathered[RANKS_MAX * ELEMENTS], least[3];
    int64_t *lent;

    muster_status status = muster_alloc(team->group, sizeof in, (void **)&lent);
    if (status != MUSTER_OK)
        return status;
    memset(lent, 1, sizeof in);
    if (status == MUSTER_OK)
        status =
            muster_all_reduce_start(in, out, ELEMENTS, MUSTER_INT64, MUSTER_MAX, team->group, &requests[0]);
    if (status == MUSTER_OK)
        status = muster_all_gather_start(lent, gathered, ELEMENTS, MUSTER_INT64, team->group, &requests[1]);
    if (status == MUSTER_OK)
        status = muster_reduce_start(in, least, 3, MUSTER_INT64, MUSTER_MIN, 0, team->group, &requests[2]);
    if (status == MUSTER_OK)
        status = muster_barrier_start(team->group, &requests[3]);
    muster_status waited = muster_wait_all(requests, STARTED, 0);
    muster_free(team->group, lent);
    return status == MUSTER_OK ? waited : status;
}

static muster_status use_messages(const team *team)
{
    int rank = muster_group_rank(team->group), size = muster_group_size(team->group);

    return muster_sendrecv(in, ELEMENTS, (rank + 1) % size, 0, out, ELEMENTS, (rank + size - 1) % size, 0,
                           MUSTER_INT64, team->group, NULL);
}

/* All that there is, in turn; `over` on all, or on none. */
static muster_status work(const team *team, const scene *scene, int round, bool *over)
{
    int32_t done = scene->over, all_done = 0;

    switch (round % 7) {
    case 0:
        return use_child(team, round / 7 % 3);
    case 1:
        return use_arena(team);
    case 2:
        return use_started(team);
    case 3:
        return use_messages(team);
    case 4:
        return muster_barrier(team->group);
    case 5:
        return use_requests(team->group, scene->seed % 1000 + (uint64_t)round);
    default:;
        muster_status status = muster_all_min(&done, &all_done, 1, MUSTER_INT32, team->group);
        *over = status == MUSTER_OK && all_done;
        return status;
    }
}

/* "rank 3 was killed by signal 9", of the group; it must be one that was killed. */
static bool tells_the_truth(const team *team, const scene *scene, const char *sentence)
{
    int rank;

    if (sscanf(sentence, "rank %d ", &rank) != 1 || rank < 0 || rank >= muster_group_size(team->group) ||
        (!strstr(sentence, "killed by signal 9") && !strstr(sentence, "is gone")))
        return false;
    return team->members[rank] < 0 || scene->killed[team->members[rank]];
}

/* Who is who in the new group, as far as the old one tells. */
static void take_over(team *team, muster_group *next)
{
    int members[RANKS_MAX];

    for (int rank = 0; rank < muster_group_size(next); rank++) {
        int before = muster_group_translate(next, rank, team->group);

        members[rank] = before < 0 ? -1 : team->members[before];
    }
    memcpy(team->members, members, sizeof members);
    team->group = next;
}

static int endure(muster_group *world, void *arg)
{
    bool replacement = atoi(getenv("MUSTER_RESTARTS")) > 0, over = false;
    scene *scene = arg;
    team team = { .group = world };
    muster_group *next;

    scene->inside[own_rank()]++;
    for (int rank = 0; rank < RANKS_MAX; rank++)
        team.members[rank] = replacement ? -1 : rank;
    for (int round = 0; !over; round++) {
        muster_status status = work(&team, scene, round, &over);

        if (status == MUSTER_OK)
            continue;
        if (status != MUSTER_ERR_PEER_DIED || !tells_the_truth(&team, scene, muster_error_detail()))
            return complain(scene, "a survivor is told", muster_error_detail());
        status = scene->grows ? muster_group_grow(team.group, &next) : muster_group_shrink(team.group, &next);
        if (status != MUSTER_OK)
            return complain(scene, "a survivor cannot go on", muster_error_detail());
        muster_group *old = team.group;
        take_over(&team, next);
        if (old != world)
            muster_group_free(old);
        round = -1;
    }
    return 0;
}

/* ---- the killer ---- */

/* Signals a rank of this launch: a number that has become another process's is nobody of ours. */
static bool strike(const scene *scene, pid_t pid, int signal)
{
    char path[32], text[400];
    int parent = 0, fd = (int)syscall(SYS_pidfd_open, pid, 0);
    char state = 'X';

    if (fd < 0)
        return false;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file && fgets(text, sizeof text, file) && strrchr(text, ')'))
        sscanf(strrchr(text, ')') + 1, " %c %d", &state, &parent);
    if (file)
        fclose(file);
    bool ours = parent == scene->launcher && state != 'Z' && state != 'X';
    if (ours)
        syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0);
    close(fd);
    return ours;
}

static void stop_for_a_moment(scene *scene, pid_t pid, uint64_t *state)
{
    if (!strike(scene, pid, SIGSTOP))
        return;
    nap_up_to(state, 30000000); /* past every tick, now and then */
    strike(scene, pid, SIGCONT);
}

static void kill_or_stop(scene *scene, const mst_rank_entry *entry, uint64_t *state)
{
    uint32_t rank = entry->rank, now = mst_load32_acq(&entry->state);
    pid_t pid = entry->pid;

    if (pid <= 0 || now == MST_RANK_VACANT || now == MST_RANK_LEFT || rank >= (uint32_t)scene->size)
        return;
    if (random_next(state) % 4 == 0) {
        stop_for_a_moment(scene, pid, state);
        return;
    }
    if (scene->killed[rank] && !scene->grows)
        return;
    scene->killed[rank]++;
    if (strike(scene, pid, SIGKILL))
        scene->kills++;
}

static void rage(scene *scene, const mst_rank_entry *entries)
{
    uint64_t state = scene->seed * 31 + 7;

    for (int rank = 0; !scene->early && rank < scene->size; rank++)
        while (!scene->inside[rank] && !scene->over && getppid() == scene->launcher)
            nap_up_to(&state, 1000000);
    if (scene->orphans) {
        nap_up_to(&state, 4000000);
        scene->orphaned = 1;
        kill(scene->launcher, SIGKILL);
        _exit(0);
    }
    while (!scene->over && scene->kills < scene->kills_wanted && getppid() == scene->launcher) {
        nap_up_to(&state, 2500000);
        kill_or_stop(scene, &entries[random_next(&state) % (uint64_t)scene->seats], &state);
    }
    scene->over = 1;
    _exit(0);
}

static bool let_loose(int fd, void *arg)
{
    scene *scene = arg;
    pid_t killer = fork();

    if (killer == 0) {
        char *base = mmap(NULL, ENTRIES_BYTES, PROT_READ, MAP_SHARED, fd, 0);

        if (base != MAP_FAILED)
            rage(scene, (const mst_rank_entry *)(const void *)(base + MST_ENTRIES_OFFSET));
        _exit(1);
    }
    return killer > 0;
}

/* ---- worlds ---- */

static void check_report(scene *scene, const muster_report *report)
{
    const char *named = strstr(report->summary, " was killed by signal 9");
    int rank = -1;

    if (report->timed_out)
        complain(scene, "not all have ended", report->summary);
    /* Or the last to be killed was replaced when the others were done. */
    if (report->first_failed < 0 || (scene->grows && strstr(report->summary, "was started again")))
        return;
    while (named && named > report->summary && named[-1] != ' ')
        named--;
    if (!named || sscanf(named, "%d", &rank) != 1 || rank < 0 || rank >= scene->size || !scene->killed[rank])
        complain(scene, "the launcher says", report->summary);
    for (int i = 0; i < scene->size; i++) {
        const muster_termination *termination = &report->terminations[i];
        bool exited = termination->kind == MUSTER_TERMINATION_EXITED;

        if (exited
                ? termination->code != 0 && (termination->code != 125 || scene->inside[i] > scene->killed[i])
                : termination->kind != MUSTER_TERMINATION_SIGNALED || termination->code != SIGKILL ||
                      !scene->killed[i])
            complain(scene, "a rank has ended otherwise", report->summary);
    }
}

static _Noreturn void be_the_launcher(scene *scene)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;
    const char *limit = getenv("TEST_STORM_LIMIT");
    muster_termination terminations[RANKS_MAX];

    scene->launcher = getpid();
    config.size = scene->size;
    config.on_failure = scene->grows ? MUSTER_ON_FAILURE_RESPAWN : MUSTER_ON_FAILURE_CONTINUE;
    config.restarts = scene->grows ? RESTARTS : 0;
    config.restart_delay_ns = 1000 * 1000;
    config.timeout_ns = (limit ? atoi(limit) : 200) * MST_NS_PER_S;
    config.arena = let_loose;
    config.arena_arg = scene;
    report.terminations = terminations;
    muster_launch(&config, endure, scene, &report);
    scene->over = 1;
    check_report(scene, &report);
    while (waitpid(-1, NULL, 0) > 0) /* the killer */
        continue;
    _exit(0);
}

static int play(uint64_t seed)
{
    scene *scene = shared_page(sizeof *scene);
    uint64_t state = seed;
    int ends[2], kills;
    char nothing;

    scene->seed = seed;
    scene->size = 2 + (int)(random_next(&state) % (RANKS_MAX - 1));
    scene->grows = random_next(&state) % 3 == 0;
    scene->orphans = random_next(&state) % 16 == 0;
    scene->early = random_next(&state) % 4 == 0;
    scene->seats = scene->size + (scene->grows ? RESTARTS : 0);
    scene->kills_wanted = scene->grows ? RESTARTS : scene->size - 1;
    setenv("MUSTER_LIVENESS", detections[random_next(&state) % 4], 1);
    ck_assert_int_eq(pipe(ends), 0);
    pid_t launcher = fork();
    if (launcher == 0)
        be_the_launcher(scene);
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &nothing, 1), 0); /* until whoever has the other end has ended */
    close(ends[0]);
    waitpid(launcher, NULL, 0);
    ck_assert_msg(!scene->failed, "seed %llu, %s", (unsigned long long)seed, getenv("MUSTER_LIVENESS"));
    kills = scene->kills;
    shared_page_free(scene, sizeof *scene);
    return kills;
}

START_TEST(test_a_storm)
{
    const char *wanted = getenv("TEST_STORM_KILLS"), *seed = getenv("TEST_SEED"),
               *from = seed ? seed : getenv("TEST_STORM_FROM");
    long kills = 0,
         enough = seed                        ? 1
                  : wanted                    ? atol(wanted)
                  : under_address_sanitizer() ? 200
                                              : 2000,
         worlds = 0;
    uint64_t base = from ? strtoull(from, NULL, 10) : 20261129;
    int64_t began_ns = mst_os_now_ns();

    for (; kills < enough && (worlds == 0 || !seed); worlds++) {
        kills += play(base + (uint64_t)worlds);
        if (worlds % 1000 == 999) {
            printf("%ld kills\n", kills);
            fflush(stdout); /* or each launcher would print it again */
        }
    }
    double seconds = (double)(mst_os_now_ns() - began_ns) / MST_NS_PER_S;
    printf("%ld kills in %ld worlds from seed %llu on, %.0f a second\n", kills, worlds,
           (unsigned long long)base, (double)kills / seconds);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("storm");
    TCase *tests = tcase_create("storm");

    /* Check counts a test's microseconds in 31 bits. */
    tcase_set_timeout(tests, getenv("TEST_STORM_KILLS") ? 0 : 600);
    if (!under_thread_sanitizer()) /* it sees nothing between processes */
        tcase_add_test(tests, test_a_storm);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
