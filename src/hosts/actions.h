/*
 * A collective over several hosts, as a list of actions. Those up to a fence are started together:
 * collectives of the group on this host, all in the same order on all its members, and transfers of the link.
 * When all of them are over, the next ones are. Copies and reductions are done when their turn comes, and a
 * plan appends more actions. run.h carries them out.
 */
#ifndef MST_HOSTS_ACTIONS_H
#define MST_HOSTS_ACTIONS_H

#include "src/hosts/group.h"
#include "src/hosts/record.h"

typedef struct mst_run mst_run;
typedef struct mst_action mst_action;

/* Appends what is to be done next. */
typedef muster_status (*mst_run_plan)(mst_run *run);

typedef enum mst_action_kind {
    MST_FENCE,
    MST_SEND,
    MST_RECEIVE,
    MST_GATHER_HERE,
    MST_EXCHANGE_HERE,
    MST_BROADCAST_HERE,
    MST_COPY,
    MST_REDUCE_ALL,
    MST_REDUCE_PART, /* of an average: adds up */
    MST_REDUCE_LAST, /* of an average: adds up and divides by the size of the group */
    MST_CALL
} mst_action_kind;

struct mst_action {
    mst_action_kind kind;
    int peer;         /* or the root's place; or how many sources */
    const void *from; /* the input */
    void *to;
    size_t bytes; /* or elements */
    const void **sources;
    size_t *in_counts, *in_at, *out_counts, *out_at; /* by place */
    mst_run_plan plan;
};

struct mst_run {
    mst_run *next, *previous; /* in the group's list */
    mst_hosts_group *group;
    mst_request request;
    bool started;       /* not called in the blocking form */
    uint64_t number;    /* of the started operation */
    uint64_t operation; /* of the group */
    int64_t limit_ns;
    int64_t entered_ns, arrived_ns; /* for records: arrived: when all had come; 0: not yet */
    bool over;
    muster_status status; /* once it is over, */
    mst_error_copy error; /* and its sentence */
    const void *taken;    /* by the wait that completes it */
    mst_action *actions;
    size_t action_count, action_room, next_action;
    bool fenced;              /* its first fence has been passed: all ranks of this host have come */
    muster_request *requests; /* started since the latest fence */
    int *peers;               /* for each, the rank at the other end; -1: it is of this host */
    size_t request_count, request_room;
    void *memory;              /* that is freed when the run is over, or by mst_run_forget */
    void *kept;                /* that is freed when it is over */
    mst_hosts_record *records; /* what each rank was asked for (agree.h) */
    mst_run_plan then;         /* once all agree */
    size_t done;               /* elements of which a plan has disposed */
    void *plan;                /* what else it keeps */
};

/* NULL: no memory. */
mst_run *mst_run_create(mst_hosts_group *group, const mst_request *request);
void mst_run_free(mst_run *run);

/* In words. */
void mst_run_describe(const mst_run *run, char *text, size_t bytes);

/* ---- for plans; an error: no memory ---- */

/* Zeros, until the run is over, or until mst_run_forget. NULL: there is none. */
void *mst_run_keep(mst_run *run, size_t bytes);
void *mst_run_memory(mst_run *run, size_t bytes);
void mst_run_forget(mst_run *run);

/* A range of bytes for each rank of the group, from one address on. */
typedef struct mst_ranges {
    void *base;
    size_t *bytes; /* by rank */
    size_t *at;    /* by rank */
} mst_ranges;

/* With all ranges empty; false: no memory. */
bool mst_ranges_make(mst_run *run, void *base, mst_ranges *ranges);

muster_status mst_run_send(mst_run *run, int to, const void *from, size_t bytes);
muster_status mst_run_receive(mst_run *run, int from, void *to, size_t bytes);

/* Collectives of the ranks of this host; the numbers are by rank of the whole group. Each rank has its own
 * range in place; those of ranks elsewhere are not used. */
muster_status mst_run_gather_here(mst_run *run, const mst_ranges *ranges, const int *owner_by_place);
muster_status mst_run_exchange_here(mst_run *run, const mst_ranges *out, const mst_ranges *in);
muster_status mst_run_broadcast_here(mst_run *run, int place, void *data, size_t bytes);

muster_status mst_run_copy(mst_run *run, void *to, const void *from, size_t bytes);
/* Of so many sources, which it copies; as the request says. */
muster_status mst_run_reduce(mst_run *run, void *to, const void *const *sources, int sources_count,
                             size_t count);
/* The first source is what operands before these were reduced to; `is_last`: no operand comes after them.
 * Only where partial results have the type of the elements. */
muster_status mst_run_reduce_part(mst_run *run, void *to, const void *const *sources, int sources_count,
                                  size_t count, bool is_last);
muster_status mst_run_fence(mst_run *run);
muster_status mst_run_call(mst_run *run, mst_run_plan plan);

#endif
