/*
 * Collectives and messages that only move bytes, among SIZE ranks, with known answers: what each rank's input
 * is, what its output must be.
 */
#ifndef TEST_MOVES_H
#define TEST_MOVES_H

#include <stdbool.h>
#include <stddef.h>

#include "muster/muster.h"

enum { MOVES_SIZE = 3, MOVES_ROOT = 1, MOVES_BYTES = 200000 }; /* more than some rounds of staging */

typedef enum move {
    MOVE_ALL_GATHER,
    MOVE_BROADCAST,
    MOVE_GATHER,
    MOVE_SCATTER,
    MOVE_ALL_TO_ALL,
    MOVE_MESSAGE,
    MOVES
} move;

/* MUSTER_TUNING, so that all that can be read in its rank's process is read there. */
#define MOVES_READ_ALL "one_copy_bytes_min=1,one_copy_bytes_min_oversubscribed=1,one_copy_bytes_max=never"

/* Fills an input of MOVES_SIZE blocks of `bytes` bytes each. */
void moves_fill(int rank, size_t bytes, int round, unsigned char *in);

/* Rank MOVES_ROOT is the root, or the sender; the others, or rank 0 of gather and message, need its input. */
muster_status moves_run(muster_group *group, move move, size_t bytes, const unsigned char *in,
                        unsigned char *out);
bool moves_is_right(move move, int rank, size_t bytes, int round, const unsigned char *out);

/* All of them in sizes from a byte to MOVES_BYTES; for RANK_CHECK's kind of functions. */
int moves_run_all(muster_group *group, int round);

/* Whether collectives of the group read private memory so far (src/onehost/group/remote.h). */
bool copies_once(muster_group *group);

#endif
