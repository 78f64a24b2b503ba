/*
 * The threads of a rank that do its collectives together (muster_group_set_threads).
 *
 * Thread 0 makes the calls, agrees with the other ranks and meets them. Each large copy or reduction of a
 * call is a job: it is cut into parts, which thread 0 and the helpers take, one at a time, from one counter.
 * Thread 0 takes parts until none is left, and waits for those that helpers have taken; so it never waits for
 * a helper that has not come. Parts begin at elements and, if these allow it, at lines of the destination.
 * Each element is computed as by one thread, so the bits are the same.
 *
 * One line has all that helpers look at: how many calls have ended, and in one word how many parts the job
 * has and how many were taken. A part is taken by adding 1, and the word as it was says whether there was one
 * left. So what describes the job can be changed once its parts are done: nobody reads it without a part.
 *
 * All of this is private memory of the process. The members of a group may have different numbers of threads.
 */
#ifndef MST_TEAM_H
#define MST_TEAM_H

#include "shm/base/atomic.h"
#include "shm/base/error.h"
#include "shm/wait/lock.h"
#include "shm/wait/wait.h"
#include "src/backend.h"

#define MST_TEAM_FAILURES 8 /* of calls, of which late helpers are told */

/* A destination of a reduction's result, and whether it is written with non-temporal stores. */
typedef struct mst_target {
    unsigned char *at;
    bool stream;
} mst_target;

/* A part of a job, for the thread that does it. */
typedef struct mst_part {
    size_t at, bytes;
    int thread;
} mst_part;

typedef void (*mst_part_fn)(const void *work, mst_part part);

/* What is to be done, once for each part. */
typedef struct mst_team_job {
    mst_part_fn fn;
    const void *work;
    size_t bytes;
    size_t lead;           /* the first part is longer by this */
    size_t part_bytes_min; /* a shorter part is not worth another thread */
} mst_team_job;

/* A thread of the team; no two of them write to one line. */
typedef struct mst_team_thread {
    _Alignas(MST_LINE) _Atomic uint32_t taken; /* 1: a thread helps by this number, or nobody may */
    uint64_t call;                             /* the collective that its latest call belongs to */
    const void **sources;                      /* room for arguments of kernels */
    mst_target *targets;
} mst_team_thread;

/* A call that has failed. */
typedef struct mst_team_failure {
    uint64_t call;
    mst_error_copy error;
} mst_team_failure;

typedef struct mst_team {
    int threads;          /* 1: nobody helps */
    size_t job_bytes_min; /* smaller ones are done by thread 0 */
    size_t part_bytes_min;
    mst_team_job job;
    size_t part_bytes;
    mst_waiter waiter; /* of thread 0, for the parts of others; and what a helper's is made of */
    mst_lock lock;     /* of `failures` */
    mst_team_failure failures[MST_TEAM_FAILURES];
    _Atomic uint64_t failed; /* calls so far that have */
    uint64_t forgotten;      /* the latest one that is not among the failures any more; 0: none */
    _Alignas(MST_LINE) _Atomic uint64_t ended; /* calls so far */
    _Atomic uint64_t state;                    /* parts of the job, and below them parts taken */
    _Atomic uint32_t news, sleepers;           /* helpers sleep here */
    _Alignas(MST_LINE) _Atomic uint32_t done;  /* parts that helpers have done */
    _Atomic uint32_t done_news, done_sleepers; /* thread 0 sleeps here */
    mst_team_thread of[MST_THREADS_MAX];
} mst_team;

#define MST_TEAM_PARTS_SHIFT 32

/* Of one thread, which has no helpers; NULL: no memory. */
mst_team *mst_team_create(void);
void mst_team_destroy(mst_team *team);

/* Takes the numbers of all helpers, so that none begins to help; false: one of them helps now. */
bool mst_team_close(mst_team *team);
/* Lets so many threads, with room for that many sources, help from the next call on, and says how they wait.
 * False: no memory; it is open for those that it had. */
bool mst_team_open(mst_team *team, int threads, size_t sources, mst_wait_policy policy);

/* ---- thread 0 ---- */

/* Whether helpers may do parts of a job. */
static inline bool mst_team_shares(const mst_team *team, size_t bytes)
{
    return __builtin_expect(team != NULL, false) && bytes >= team->job_bytes_min;
}

/* Does a job, with whoever helps, which mst_team_shares. */
void mst_team_do(mst_team *team, mst_team_job job);

/* The bytes up to the next line of the destination, in elements of up to a line. */
static inline size_t mst_team_lead(const void *to, size_t element)
{
    return ((uintptr_t)0 - (uintptr_t)to) % MST_LINE / element * element;
}

/* A call has ended, with that status, whose sentence is the thread's latest error. */
void mst_team_end_call(mst_team *team, muster_status status);

/* ---- helpers ---- */

/* The number of a thread, until it is given back; false: another thread has it. *call: which one it is to
 * help with. */
bool mst_team_enter(mst_team *team, int thread, uint64_t *call);
void mst_team_leave(mst_team *team, int thread);

static inline bool mst_team_has_ended(const mst_team *team, uint64_t call)
{
    return mst_load64_sc(&team->ended) >= call; /* E41, E9 */
}

/* Whether a part is left. */
static inline bool mst_team_has_part(uint64_t state)
{
    return (uint32_t)state < state >> MST_TEAM_PARTS_SHIFT;
}

static inline bool mst_team_has_work(const mst_team *team)
{
    return mst_team_has_part(mst_load64_sc(&team->state)); /* E9; E39 when it is taken */
}

/* Does a part; false: there is none. */
bool mst_team_do_part(mst_team *team, int thread);

/* How a call has ended: its error becomes this thread's latest. */
muster_status mst_team_outcome(mst_team *team, uint64_t call);

static inline mst_parking mst_team_news(mst_team *team)
{
    return (mst_parking){ &team->news, &team->sleepers };
}

#endif
