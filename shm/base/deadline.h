/*
 * A limit on waiting that counts only time in which the waiter could run.
 *
 * Whoever waits says before each sleep how long it is going to take, and looks at the clock afterwards. A
 * sleep that took much longer than it was to take is a gap: the process was stopped (Ctrl-Z, a batch system,
 * a frozen container), or got no CPU, and so, most likely, did those that it waits for. Of a gap no more
 * counts than the sleep was to take, and the limit begins anew, as those others may be continued a moment
 * later. Not for ever: twice the limit, gaps left out, ends the wait in any case, so that a waiter that gets
 * a CPU only now and then ends, too. A waiter that runs while another rank alone is stopped sees no gap.
 *
 * The clock is the caller's, and monotonic: while the machine is suspended it stands still.
 */
#ifndef MST_DEADLINE_H
#define MST_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct mst_deadline {
    int64_t limit_ns;    /* 0: none */
    int64_t counted_ns;  /* since the wait began, or since the last gap */
    int64_t total_ns;    /* since the wait began */
    int64_t looked_ns;   /* at the clock, for the last time */
    int64_t expected_ns; /* how long what has been done since was to take */
} mst_deadline;

/* Nothing has been waited for yet. */
static inline void mst_deadline_begin(mst_deadline *deadline)
{
    deadline->counted_ns = deadline->total_ns = 0;
}

/* A part of the wait begins, which is to take so long; what was between it and the last one does not count.
 */
static inline void mst_deadline_resume(mst_deadline *deadline, int64_t now_ns, int64_t expected_ns)
{
    deadline->looked_ns = now_ns;
    deadline->expected_ns = expected_ns;
}

/* Counts the time since the last look; what follows is to take so long. */
void mst_deadline_count(mst_deadline *deadline, int64_t now_ns, int64_t expected_ns);

/* What is left; 0: the wait is to end. For a deadline that has a limit. */
int64_t mst_deadline_left_ns(const mst_deadline *deadline);

static inline bool mst_deadline_passed(const mst_deadline *deadline)
{
    return deadline->limit_ns > 0 && mst_deadline_left_ns(deadline) == 0;
}

/* For what nobody is waited for: whether the limit, gaps left out, is used up. */
static inline bool mst_deadline_used_up(const mst_deadline *deadline)
{
    return deadline->limit_ns > 0 && deadline->total_ns >= deadline->limit_ns;
}

#endif
