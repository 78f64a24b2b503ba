/*
 * A link: how ranks of a group reach each other whose hosts differ. It moves bytes between any two members,
 * tells all members why the group is broken, and carries the program's messages. It is a table of functions,
 * so that what carries the bytes may be a plug-in: MPI's point-to-point calls on a communicator of ours do
 * (MPI_Isend, MPI_Irecv, MPI_Test), and libmuster links nothing for it.
 *
 * What a link moves is a transfer, which is a muster_request: `group` is not NULL until the transfer is over,
 * and what else it contains is the link's. So one array contains transfers and operations that were started
 * in groups of this host.
 *
 * Of two transfers from one rank to another with the same tag, the first send meets the first receive. The
 * sizes of both ends are the same. Transfers of different tags may be started by different threads.
 */
#ifndef MST_HOSTS_LINK_H
#define MST_HOSTS_LINK_H

#include "src/backend.h"

typedef struct mst_link mst_link;

/* Tags of transfers: the thread in each of these calls is the only one. */
typedef enum mst_link_tag { MST_LINK_COLLECTIVES, MST_LINK_SPLITS } mst_link_tag;

#define MST_LINK_SENTENCE_BYTES 252 /* as in a group of one host */

/* Why a group is broken. */
typedef struct mst_link_reason {
    muster_status status;
    int about; /* a rank of the group; -1: none */
    muster_termination termination;
    int64_t limit_ns;
    int pair; /* 1 + the rank with which that one disagrees; 0: none */
    char sentence[MST_LINK_SENTENCE_BYTES];
} mst_link_reason;

typedef struct mst_link_methods {
    /* Why this thread may not use the link; NULL: it may. It may tell, ask what is broken, and close. */
    const char *(*refusal)(mst_link *link);

    /* Where a member is, in words: "host b"; NULL: it is not known. */
    const char *(*where)(mst_link *link, int rank);

    /* Starts a transfer; the bytes are the link's until it is over. */
    muster_status (*send)(mst_link *link, int to, int tag, const void *from, size_t bytes,
                          muster_request *transfer);
    muster_status (*receive)(mst_link *link, int from, int tag, void *to, size_t bytes,
                             muster_request *transfer);

    /* Waits until each of these is over, and resets it, or, with `all` false, does so with one. Each is a
     * transfer of this link or of another of the same world, or was started in a group of this host. While it
     * waits, it calls the interrupt functions of the groups of this host every 5 to 20 ms, and those of the
     * links (watch). It returns the error of the first that fails, and resets that one. Operations of this
     * host keep their limits, or, unless it is 0, have this one in place of them. */
    muster_status (*wait)(mst_link *link, muster_request *requests, size_t count, bool all,
                          int64_t timeout_ns);

    /* Never waits, and needs no memory. Resets the transfer if it is over; an error: it has failed, and is
     * over. */
    muster_status (*test)(mst_link *link, muster_request *transfer, bool *over);

    /* What a progress thread does for the links of a world: *under_way: something of one of them needs it to
     * go on; *moved: something has come. */
    void (*advance)(mst_link *link, bool *under_way, bool *moved);
    bool (*is_under_way)(mst_link *link); /* whether something does, cheaply */

    /* Tells all members that the group is broken. The first reason stays; transfers then end, soon, with an
     * error. By any thread. */
    void (*tell)(mst_link *link, const mst_link_reason *reason);

    /* Whether it is whole, as far as is known without a look round: cheap, for the beginning of each call. */
    bool (*seems_whole)(mst_link *link);

    /* Whether the group is broken: by what a member has told, or by what the link knows, such as a death. */
    bool (*is_broken)(mst_link *link, mst_link_reason *reason);

    /* A link of some members, whose ranks are their places in the list; only they call it, and wait for each
     * other, up to the limit. Members that give different lists get MISMATCH. If a member has no memory, all
     * fail, and the link is as before. */
    muster_status (*subset)(mst_link *link, const int *ranks, int count, int64_t limit_ns, mst_link **made);

    void (*close)(mst_link *link);
} mst_link_methods;

struct mst_link {
    const mst_link_methods *methods;
    int rank, size;
    uint64_t number;     /* the same on all members, and no other link's of the job */
    uint64_t bytes_sent; /* by transfers of this rank, to members on other hosts */
    muster_group *mail;  /* carries the program's messages; its ranks are the link's */
    bool (*watch)(
        void *of); /* to be called while it waits; true: the wait must end. Set by the link's user */
    void *watched;
    bool blind; /* it sees no deaths: those of members on this host, the local group does */
};

#endif
