/* The operations of moves.h. */
#include "tests/harness/moves.h"

#include <string.h>

#include "src/onehost/group/group.h"
#include "tests/harness/ranks.h"

static unsigned char value_of(int rank, int block, int round)
{
    return (unsigned char)(1 + rank * 50 + block * 7 + round);
}

static bool is_all(const unsigned char *at, size_t bytes, unsigned char value)
{
    return at[0] == value && memcmp(at, at + 1, bytes - 1) == 0;
}

muster_status moves_run(muster_group *group, move move, size_t bytes, const unsigned char *in,
                        unsigned char *out)
{
    int rank = muster_group_rank(group);

    switch (move) {
    case MOVE_ALL_GATHER:
        return muster_all_gather(in, out, bytes, MUSTER_UINT8, group);
    case MOVE_BROADCAST:
        return muster_broadcast(in, out, bytes, MUSTER_UINT8, MOVES_ROOT, group);
    case MOVE_GATHER:
        return muster_gather(in, out, bytes, MUSTER_UINT8, 0, group);
    case MOVE_SCATTER:
        return muster_scatter(in, out, bytes, MUSTER_UINT8, MOVES_ROOT, group);
    case MOVE_ALL_TO_ALL:
        return muster_all_to_all(in, out, bytes, MUSTER_UINT8, group);
    default:
        if (rank == MOVES_ROOT)
            return muster_send(in, bytes, MUSTER_UINT8, 0, 0, group);
        return rank == 0 ? muster_recv(out, bytes, MUSTER_UINT8, MOVES_ROOT, 0, group, NULL) : MUSTER_OK;
    }
}

/* Where block `block` of rank `from`'s input is in our output; -1: nowhere. */
static int place_of(move move, int rank, int from, int block)
{
    switch (move) {
    case MOVE_ALL_GATHER:
        return block == 0 ? from : -1;
    case MOVE_BROADCAST:
        return from == MOVES_ROOT && block == 0 ? 0 : -1;
    case MOVE_GATHER:
        return rank == 0 && block == 0 ? from : -1;
    case MOVE_SCATTER:
        return from == MOVES_ROOT && block == rank ? 0 : -1;
    case MOVE_ALL_TO_ALL:
        return block == rank ? from : -1;
    default:
        return rank == 0 && from == MOVES_ROOT && block == 0 ? 0 : -1;
    }
}

bool moves_is_right(move move, int rank, size_t bytes, int round, const unsigned char *out)
{
    for (int from = 0; from < MOVES_SIZE; from++)
        for (int block = 0; block < MOVES_SIZE; block++) {
            int place = place_of(move, rank, from, block);

            if (place >= 0 && !is_all(out + (size_t)place * bytes, bytes, value_of(from, block, round)))
                return false;
        }
    return true;
}

void moves_fill(int rank, size_t bytes, int round, unsigned char *in)
{
    for (int block = 0; block < MOVES_SIZE; block++)
        memset(in + (size_t)block * bytes, value_of(rank, block, round), bytes);
}

int moves_run_all(muster_group *group, int round)
{
    static const size_t sizes[] = { 1, 100, 5000, MOVES_BYTES };
    static unsigned char in[MOVES_SIZE * MOVES_BYTES], out[MOVES_SIZE * MOVES_BYTES];
    int rank = muster_group_rank(group);

    for (int kind = 0; kind < MOVES; kind++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            moves_fill(rank, sizes[i], round, in);
            memset(out, 0, sizeof out);
            RANK_OK(group, moves_run(group, (enum move)kind, sizes[i], in, out));
            RANK_CHECK(group, moves_is_right((enum move)kind, rank, sizes[i], round, out));
        }
    return 0;
}

bool copies_once(muster_group *group)
{
    return mst_group_of(group)->one_copy;
}
