/* Cuts jobs into parts, and keeps what helpers are told, as team.h describes. */
#include "src/onehost/group/team.h"

#include <stdlib.h>
#include <string.h>

/* To begin a job and to end it takes two transfers of a line, and a part one more: as copying some KiB does.
 */
#define JOB_BYTES_MIN 32768
#define PART_BYTES_MIN 8192
#define PARTS_PER_THREAD 2 /* so that who comes late, or is slow, has less to do */
/* Waking helpers that sleep takes as long as copying this much. Those that came just now do not sleep. */
#define WAKE_BYTES_MIN (256 * 1024)

/* ---- making ---- */

mst_team *mst_team_create(void)
{
    mst_team *team = aligned_alloc(MST_LINE, sizeof *team);

    if (!team)
        return NULL;
    memset(team, 0, sizeof *team);
    team->threads = 1;
    team->job_bytes_min = JOB_BYTES_MIN;
    team->part_bytes_min = PART_BYTES_MIN;
    mst_lock_init(&team->lock);
    return team;
}

void mst_team_destroy(mst_team *team)
{
    if (!team)
        return;
    for (int i = 0; i < MST_THREADS_MAX; i++) {
        free(team->of[i].sources);
        free(team->of[i].targets);
    }
    mst_lock_destroy(&team->lock);
    free(team);
}

static void let_in(mst_team *team, int from, int to)
{
    for (int i = from; i < to; i++)
        mst_store32_rel(&team->of[i].taken, 0); /* E42 */
}

bool mst_team_close(mst_team *team)
{
    for (int i = 1; i < team->threads; i++)
        if (mst_cmpxchg32_sc(&team->of[i].taken, 0, 1) != 0) { /* E42 */
            let_in(team, 1, i);
            return false;
        }
    return true;
}

static bool make_room(mst_team_thread *thread, size_t sources)
{
    if (!thread->sources)
        thread->sources = calloc(sources, sizeof *thread->sources);
    if (!thread->targets)
        thread->targets = calloc(sources + 1, sizeof *thread->targets);
    return thread->sources && thread->targets;
}

bool mst_team_open(mst_team *team, int threads, size_t sources, mst_wait_policy policy)
{
    bool made = true;

    for (int i = 0; i < threads && made; i++)
        made = make_room(&team->of[i], sources);
    if (made) {
        uint64_t ended = mst_load64_rlx(&team->ended);

        for (int i = 1; i < threads; i++)
            team->of[i].call = ended;
        team->threads = threads;
        team->waiter.policy = policy;
    }
    let_in(team, 1, team->threads);
    return made;
}

/* ---- jobs ---- */

static size_t part_bytes_of(const mst_team *team, const mst_team_job *job)
{
    size_t least = job->part_bytes_min > team->part_bytes_min ? job->part_bytes_min : team->part_bytes_min;
    size_t even = job->bytes / ((size_t)team->threads * PARTS_PER_THREAD);

    return ((even > least ? even : least) + MST_LINE - 1) / MST_LINE * MST_LINE;
}

static uint32_t part_count(const mst_team *team)
{
    const mst_team_job *job = &team->job;

    if (job->bytes <= job->lead)
        return 1;
    return (uint32_t)((job->bytes - job->lead + team->part_bytes - 1) / team->part_bytes);
}

static void do_part(const mst_team *team, uint32_t part, int thread)
{
    const mst_team_job *job = &team->job;
    size_t at = part ? job->lead + part * team->part_bytes : 0;
    size_t end = job->lead + (part + 1) * team->part_bytes;

    job->fn(job->work, (mst_part){ at, (end < job->bytes ? end : job->bytes) - at, thread });
}

/* Looks first, so that the counter grows by one for each thread, at most, after the last part was taken. */
static bool take_part(mst_team *team, uint32_t *part)
{
    if (!mst_team_has_part(mst_load64_rlx(&team->state)))
        return false;
    uint64_t state = mst_add64_sc(&team->state, 1); /* E39 */
    *part = (uint32_t)state;
    return mst_team_has_part(state);
}

bool mst_team_do_part(mst_team *team, int thread)
{
    uint32_t part;

    if (!take_part(team, &part))
        return false;
    do_part(team, part, thread);
    mst_add32_sc(&team->done, 1); /* E40 */
    mst_ring((mst_parking){ &team->done_news, &team->done_sleepers });
    return true;
}

typedef struct awaited {
    const mst_team *team;
    uint32_t parts; /* that helpers have taken */
} awaited;

static bool are_done(const void *arg)
{
    const awaited *awaited = arg;

    return mst_load32_sc(&awaited->team->done) == awaited->parts; /* E40, E9 */
}

/* Only helpers add to `state` meanwhile, and only while parts are left: none is, of the job before. */
static void publish(mst_team *team, uint32_t parts)
{
    mst_exchange64_sc(&team->state, (uint64_t)parts << MST_TEAM_PARTS_SHIFT); /* E39 */
}

void mst_team_do(mst_team *team, mst_team_job job)
{
    uint32_t part, own = 0;

    team->job = job;
    team->part_bytes = part_bytes_of(team, &job);
    uint32_t parts = part_count(team);
    mst_store32_rlx(&team->done, 0);
    publish(team, parts);
    if (job.bytes >= WAKE_BYTES_MIN)
        mst_ring(mst_team_news(team));
    for (; take_part(team, &part); own++)
        do_part(team, part, 0);
    awaited awaited = { team, parts - own };
    if (!are_done(&awaited))
        mst_wait_until(&team->waiter, (mst_parking){ &team->done_news, &team->done_sleepers }, are_done,
                       &awaited, -1);
}

/* ---- calls ---- */

static void keep_failure(mst_team *team, uint64_t call)
{
    uint64_t failed = mst_load64_rlx(&team->failed);
    mst_team_failure *failure = &team->failures[failed % MST_TEAM_FAILURES];

    mst_lock_take(&team->lock);
    if (failed >= MST_TEAM_FAILURES)
        team->forgotten = failure->call;
    failure->call = call;
    mst_error_keep(&failure->error);
    mst_store64_rlx(&team->failed, failed + 1);
    mst_lock_let_go(&team->lock);
}

void mst_team_end_call(mst_team *team, muster_status status)
{
    uint64_t call = mst_load64_rlx(&team->ended) + 1;

    if (status != MUSTER_OK)
        keep_failure(team, call);
    mst_exchange64_sc(&team->ended, call); /* E41 */
    mst_ring(mst_team_news(team));
}

bool mst_team_enter(mst_team *team, int thread, uint64_t *call)
{
    if (mst_cmpxchg32_sc(&team->of[thread].taken, 0, 1) != 0) /* E42 */
        return false;
    *call = ++team->of[thread].call;
    return true;
}

void mst_team_leave(mst_team *team, int thread)
{
    mst_store32_rel(&team->of[thread].taken, 0); /* E42 */
}

static muster_status find_failure(const mst_team *team, uint64_t call)
{
    for (int i = 0; i < MST_TEAM_FAILURES; i++)
        if (team->failures[i].call == call && team->failures[i].error.parts.status != MUSTER_OK)
            return mst_error_again(&team->failures[i].error);
    if (team->forgotten < call)
        return MUSTER_OK;
    muster_status status =
        mst_fail(MUSTER_ERR_INVALID,
                 "help: this call belongs to a collective that has ended long ago, and more than %d have "
                 "failed since: how it ended is not known any more",
                 MST_TEAM_FAILURES);
    mst_error_operation("help");
    return status;
}

muster_status mst_team_outcome(mst_team *team, uint64_t call)
{
    if (mst_load64_rlx(&team->failed) == 0)
        return MUSTER_OK;
    mst_lock_take(&team->lock);
    muster_status status = find_failure(team, call);
    mst_lock_let_go(&team->lock);
    return status;
}
