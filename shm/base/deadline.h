/*
 * A limit on waiting that counts only time in which the waiter could run.
 *
 * Before each sleep the waiter states how long the sleep should take, and reads the clock afterwards. A sleep
 * that took much longer is a gap: the process was stopped (Ctrl-Z, a batch system, a frozen container) or got
 * no CPU, and probably so did the ranks that it waits for. Of a gap only the stated time counts, and the
 * limit starts again, since those ranks may be continued a moment later. Twice the limit, not counting gaps,
 * ends the wait in any case, so that a waiter that gets a CPU only now and then also ends. A waiter that runs
 * while another rank alone is stopped sees no gap.
 *
 * The caller provides the clock, a monotonic one that does not advance while the machine is suspended.
 */
#ifndef MST_DEADLINE_H
#define MST_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct mst_deadline {
    int64_t limit_ns;    /* 0: none */
    int64_t counted_ns;  /* since the wait began, or since the last gap */
    int64_t total_ns;    /* since the wait began */
    int64_t looked_ns;   /* when the clock was last read */
    int64_t expected_ns; /* how long the time since then should be */
} mst_deadline;

/* Starts a wait: no time has been counted yet. */
static inline void mst_deadline_begin(mst_deadline *deadline)
{
    deadline->counted_ns = deadline->total_ns = 0;
}

/* Starts a part of the wait that should take `expected_ns`; the time since the previous part does not
 * count. */
static inline void mst_deadline_resume(mst_deadline *deadline, int64_t now_ns, int64_t expected_ns)
{
    deadline->looked_ns = now_ns;
    deadline->expected_ns = expected_ns;
}

/* Counts the time since the clock was last read; the next part should take `expected_ns`. */
void mst_deadline_count(mst_deadline *deadline, int64_t now_ns, int64_t expected_ns);

/* What is left of a deadline that has a limit; 0: the wait must end. */
int64_t mst_deadline_left_ns(const mst_deadline *deadline);

static inline bool mst_deadline_passed(const mst_deadline *deadline)
{
    return deadline->limit_ns > 0 && mst_deadline_left_ns(deadline) == 0;
}

/* For delays in which no rank is waited for: whether the limit, not counting gaps, is used up. */
static inline bool mst_deadline_used_up(const mst_deadline *deadline)
{
    return deadline->limit_ns > 0 && deadline->total_ns >= deadline->limit_ns;
}

#endif
