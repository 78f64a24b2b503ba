/*
 * Rounds whose work is shared, and others in between: shm/group/chunks.c, reduce_shared of src/onehost/coll/reduce_pattern.c.
 *
 * N ranks make OPERATIONS operations, every third of which is an ordinary one of one round. After the round of any
 * other, whoever sees that all have arrived, or that somebody has taken a chunk, takes chunks by compare-and-swap:
 * compares the requests before its first one, reduces what lies in the slots, and writes the result over that chunk of its own
 * slot, which nobody else reads. All wait for all chunks, and copy the results.
 *
 *   shown: each chunk is done once per operation; requests are those of the operation when they are compared,
 *          slots have what was written for it when they are read, and so have the results; each rank finds all.
 *
 * -DEARLY says that a chunk is done before it is. -DONE_SLOT has one slot, not two in turn. Both must fail.
 */
#ifndef N
#define N 3
#endif
#ifndef CHUNKS
#define CHUNKS 2
#endif
#ifndef OPERATIONS
#define OPERATIONS 4
#endif
#define SHARED(op) ((op) % 3 != 0)
#define TAKEN(op, me) ((op) * 2 * N + (me) * 2)
#define WORK(word) ((word) / (2 * N))
#define BY(word) (((word) % (2 * N)) / 2)
#define DONE(word) ((word) % 2)

typedef slots { byte chunk[2 * CHUNKS] };   /* two slots of CHUNKS each, in turn */
typedef lines { byte round[2] };
slots staging[N];
lines request[N];       /* mst_arrival.request, by parity of the round */
byte arrived[N];        /* mst_arrival.word */
byte word[CHUNKS];      /* mst_cell.chunks of rank 0 */

#define AT(turn, i) (turn) * CHUNKS + (i)
#ifdef ONE_SLOT
#define LAST turn
#else
#define LAST (1 - turn)
#endif

proctype Rank(byte me) {
    byte op = 1, s = 1, turn = 0, p, i, seen;
    bool compared, mine;

    do
    :: op > OPERATIONS -> break
    :: op <= OPERATIONS ->
        i = 0;
        do :: i == CHUNKS -> break :: i < CHUNKS -> staging[me].chunk[AT(turn, i)] = op; i++ od; /* mst_stage() */
        request[me].round[s & 1] = op;           /* announce() */
        arrived[me] = s;                        /* publish(), E2 */
        p = 0;
        do                                      /* mst_chunks_meet(): arrivals, or a chunk that is taken, E21 */
        :: p == N || (SHARED(op) && WORK(word[0]) == op) -> break
        :: p < N && !(SHARED(op) && WORK(word[0]) == op) ->
            (arrived[p] >= s || (SHARED(op) && WORK(word[0]) == op)); p++
        od;
#ifndef ONE_SLOT
        turn = 1 - turn;                        /* mst_staging_turn() */
#endif
        if
        :: !SHARED(op) ->
            p = 0;
            do
            :: p == N -> break
            :: p < N ->
                assert(request[p].round[s & 1] == op && staging[p].chunk[AT(LAST, 0)] == op); p++
            od
        :: SHARED(op) ->
            compared = false;
            i = 0;
            do                                  /* mst_work_share() */
            :: i == CHUNKS -> break
            :: i < CHUNKS ->
                seen = word[i];
                mine = false;
                if
                :: WORK(seen) != op ->
                    atomic {                    /* mst_chunks_take(): the compare-and-swap */
                        if
                        :: word[i] == seen -> assert(WORK(seen) < op); word[i] = TAKEN(op, me); mine = true
                        :: else
                        fi
                    }
                :: else
                fi;
                if
                :: mine ->
#ifdef EARLY
                    word[i] = TAKEN(op, me) + 1;
#endif
                    p = 0;
                    do                          /* compare_requests(), reduce_chunk() */
                    :: p == N -> break
                    :: p < N ->
                        assert(compared || request[p].round[s & 1] == op);
                        assert(staging[p].chunk[AT(LAST, i)] == op); p++
                    od;
                    compared = true;
                    staging[me].chunk[AT(LAST, i)] = 100 + op;
#ifndef EARLY
                    word[i] = TAKEN(op, me) + 1 /* mst_chunks_done() */
#endif
                :: else
                fi;
                i++
            od;
            i = 0;
            do                                  /* mst_work_await(), mst_deliver() */
            :: i == CHUNKS -> break
            :: i < CHUNKS ->
                (DONE(word[i]) || WORK(word[i]) != op);
                assert(WORK(word[i]) == op);
                assert(staging[BY(word[i])].chunk[AT(LAST, i)] == 100 + op);
                i++
            od
        fi;
        s++;
        op++
    od
}

init { atomic { byte i = 0; do :: i < N -> run Rank(i); i++ :: else -> break od } }
