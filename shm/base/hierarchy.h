/*
 * Whether a group meets in two levels, and which ranks meet where: arithmetic, and the cost model behind it
 * (docs/lab/PERFORMANCE.md has its predictions, `scripts/many-ranks` computes them).
 *
 * In one level every rank looks at every other one's line, n - 1 lines for each and n^2 in all. In two levels
 * ranks that are near to each other form a domain: its first rank, the leader, looks at the lines of its
 * domain, then at those of the other leaders, and releases its domain. That is three line transfers one after
 * the other in place of one, and some 2 sqrt(n) lines in place of n. So it is slower for few ranks and faster
 * for many; the model says where.
 *
 * All ranks compute this from the same numbers, which each rank publishes before it attaches (`cache` of its
 * entry), so that all meet in the same way.
 */
#ifndef MST_HIERARCHY_H
#define MST_HIERARCHY_H

#include <stdbool.h>
#include <stdint.h>

/* Of a rank's `cache`, which is 1 + the first CPU of the last-level cache that all its CPUs share, or 0 if
 * there is none or it is not known: this bit says that a test made it up (MUSTER_PRETEND_TOPOLOGY). */
#define MST_CACHE_PRETENDED (1U << 31)

/* Groups of fewer ranks always meet in one level, and do not ask where their ranks are. */
#define MST_HIERARCHY_RANKS_MIN 17

typedef struct mst_hierarchy {
    int domains;
    int longest;         /* number of ranks of the largest domain */
    const int *order;    /* all ranks, domain by domain, those of a domain in order */
    const int *begin;    /* by domain, and one more: where its ranks are in `order`; the first leads it */
    const int *domain;   /* by rank */
    const int *position; /* by rank: within its domain */
} mst_hierarchy;

/* What a meeting costs, in ns. */
typedef struct mst_line_times {
    int near;      /* to store a line, and for another rank to see it, within a last-level cache */
    int far;       /* the same between two of them */
    int more_near; /* for each further line that a rank loads, since loads overlap */
    int more_far;
    int reader; /* for each further rank that loads the same line at the same time */
} mst_line_times;

extern const mst_line_times mst_line_times_default;

/*
 * The hierarchy of a group, to be freed by free(); NULL: one level. `caches` are those of its ranks; if all
 * of them are pretended, they are its domains, whatever the model says. Else ranks that have no CPU each meet
 * in one level, since they see one line after the other anyway. False: there is no memory.
 */
bool mst_hierarchy_make(const uint32_t *caches, int size, bool oversubscribed, mst_hierarchy **made);

/* The hierarchy with domains of up to `most` ranks; NULL: there is no memory. */
mst_hierarchy *mst_hierarchy_of(const uint32_t *caches, int size, int most);

/* What the model predicts for a barrier, in ns: in one level, and in two. */
int mst_hierarchy_flat_ns(const uint32_t *caches, int size, const mst_line_times *times);
int mst_hierarchy_ns(const mst_hierarchy *hierarchy, const uint32_t *caches, const mst_line_times *times);

#endif
