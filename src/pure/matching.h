/*
 * Matching of messages and receives, as MPI defines it: a message goes to the receive that was posted first
 * of those that match, and a receive gets the message that arrived first of those that match. A receive
 * matches a message if the source is the same or MST_ANY, and the tag is the same or MST_ANY.
 *
 * Receives wait in `posted`, messages in `unexpected`. Both are hash tables by (source, tag) whose chains are
 * in order, so that an exact receive is found in constant time, however many others wait. Receives with a
 * wildcard are in a list, in order; a count of posts decides between the two. Messages are also in a list per
 * source, for receives of any tag. A receive of any source asks the sources in turn, beginning after the one
 * that was served last: fair, in time proportional to their number, if something waits at all.
 *
 * Nodes belong to the caller and are embedded in its structs.
 */
#ifndef MST_MATCHING_H
#define MST_MATCHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MST_ANY (-1)

typedef struct mst_match_node {
    struct mst_match_node *next, *before;           /* in the chain of its bucket */
    struct mst_match_node *list_next, *list_before; /* in the list of wildcards, or of its source */
    int source, tag;
    uint64_t order; /* of posting */
} mst_match_node;

typedef struct mst_match_list {
    mst_match_node *first, *last;
} mst_match_list;

/* A hash table by two numbers; equal ones in the order of insertion. */
typedef struct mst_match_table {
    mst_match_list *buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
} mst_match_table;

bool mst_table_init(mst_match_table *table); /* false: no memory */
void mst_table_destroy(mst_match_table *table);
void mst_table_insert(mst_match_table *table, mst_match_node *node);
void mst_table_remove(mst_match_table *table, mst_match_node *node);
mst_match_node *mst_table_find(const mst_match_table *table, int source, int tag); /* the first; or NULL */

typedef struct mst_matching {
    mst_match_table posted, unexpected;
    mst_match_list wildcards;  /* posted */
    mst_match_list *by_source; /* unexpected */
    int sources;
    int served; /* the source of the latest message that a receive of any source has got */
    uint64_t posts;
} mst_matching;

bool mst_matching_init(mst_matching *matching, int sources); /* false: no memory */
void mst_matching_destroy(mst_matching *matching);

/* Adds a receive; node->source and node->tag are set. No unexpected message matches it. */
void mst_matching_post(mst_matching *matching, mst_match_node *receive);

/* Takes a receive back. */
void mst_matching_unpost(mst_matching *matching, mst_match_node *receive);

/* Finds the receive for a message that has arrived, and takes it out; NULL: none. */
mst_match_node *mst_matching_arrive(mst_matching *matching, int source, int tag);

/* Whether there is a receive for such a message. */
bool mst_matching_expects(const mst_matching *matching, int source, int tag);

/* Adds a message that no receive matches. */
void mst_matching_keep(mst_matching *matching, mst_match_node *message);

/* Finds the message for a receive, or a probe; NULL: none. */
mst_match_node *mst_matching_find(const mst_matching *matching, int source, int tag);

/* Takes a message out that was found. */
void mst_matching_take(mst_matching *matching, mst_match_node *message);

/* A receive of any source has got a message of this source, kept or not. */
void mst_matching_serve(mst_matching *matching, int source);

#endif
